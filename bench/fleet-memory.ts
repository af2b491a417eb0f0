// Loaded before a process of the fleet (`--expose-gc --import`) when it is measured what it holds: on SIGUSR2 everything that nobody holds any
// more is let go, and the process writes a line about the rest, in bytes. What it has from the system besides is Node's own matter.

process.on('SIGUSR2', () => {
  for (let time = 0; time < 3; time++) globalThis.gc?.(); // what hangs on something with a finalizer goes a round later
  const { heapUsed, external } = process.memoryUsage();
  console.log(`held: ${heapUsed} ${external}`);
});
