import { ShoalError } from '../model/errors.js';

const lineLength_max = 4 * 1024 * 1024; // an event carries all labels of its container; more than this is no event

/** Values of a stream of JSON texts, one a line. Throws ShoalError `unavailable` on what is not JSON. */
export async function* jsonLines(stream: NodeJS.ReadableStream): AsyncGenerator<unknown> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineLength_max) throw new ShoalError('unavailable', 'the engine sent a line without an end');
    for (const line of lines) {
      if (line.trim() !== '') yield parse(line);
    }
  }
  if (rest.trim() !== '') yield parse(rest);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new ShoalError('unavailable', `the engine sent what is not JSON: ${line.slice(0, 80)}`, { cause: error });
  }
}
