import assert from 'node:assert/strict';
import winston from 'winston';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import type { Route, Routes } from '../../../src/model/types.js';
import type { DataPlane } from '../../../src/network/data-plane.js';
import type { NetworkItems } from '../../../src/network/network-table.js';
import { PlaneDriver } from '../../../src/network/plane-driver.js';
import { route } from '../../helpers/data-plane-contract.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';

/** A plane whose changes take until the test says so. */
class SlowPlane implements DataPlane {
  readonly asked: string[][] = [];
  busy: string[] = [];
  private finish: { resolve: () => void; reject: (error: Error) => void }[] = [];
  private listeners = new Set<() => void>();

  apply(routes: readonly Route[]) {
    this.asked.push(routes.map((one) => `${one.ID}:${one.Endpoints.map((endpoint) => endpoint.TaskID)}`));
    return new Promise<{ failed: [] }>((resolve, reject) =>
      this.finish.push({ resolve: () => resolve({ failed: [] }), reject }),
    );
  }
  async done(error?: Error): Promise<void> {
    const next = this.finish.shift();
    assert.ok(next, 'nothing is being applied');
    if (error === undefined) next.resolve();
    else next.reject(error);
    await settled();
  }
  get underWay(): number {
    return this.finish.length;
  }
  busyTasks() {
    return this.busy;
  }
  onReleased(call: () => void) {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }
  release(...busy: string[]) {
    this.busy = busy;
    for (const call of this.listeners) call();
  }
  async close() {}
}

const message = (Revision: number, init: Partial<Routes> = {}): Routes => complete('Routes', { Revision, ...init });
const to = (port: number, ...tasks: string[]) =>
  route(
    port,
    tasks.map((task) => ({ task, port: 1 })),
  );

describe('the driver of the plane', () => {
  let plane: SlowPlane;
  let clock: ManualClock;
  let told: [number, readonly string[]][];
  let driver: PlaneDriver;

  beforeEach(() => {
    plane = new SlowPlane();
    clock = new ManualClock();
    told = [];
    driver = new PlaneDriver({
      plane,
      clock,
      log: winston.createLogger({ silent: true }),
      applied: (revision, busy) => told.push([revision, [...busy]]),
    });
  });
  afterEach(() => {
    void driver.close();
  });

  it('applies one change at a time, and what came meanwhile as one', async () => {
    driver.receive(message(1, { Full: true, Routes: [to(80, 'a')] }));
    driver.receive(message(2, { Routes: [to(81, 'b')] }));
    driver.receive(message(3, { Routes: [to(80, 'a', 'c')], RemovedRouteIDs: ['tcp/81'] }));
    driver.receive(message(4, { Routes: [to(82, 'd')] }));
    assert.equal(plane.underWay, 1);
    await plane.done();
    assert.equal(plane.underWay, 1);
    await plane.done();
    assert.equal(plane.underWay, 0);
    assert.deepEqual(plane.asked, [['tcp/80:a'], ['tcp/80:a,c', 'tcp/82:d']]);
    assert.deepEqual(told, [
      [1, []],
      [4, []],
    ]);
  });

  it('knows how long changes took, from the first word of each', async () => {
    driver.receive(message(1, { Full: true }));
    await clock.advance(10);
    await plane.done();
    driver.receive(message(2, { Routes: [to(80, 'a')] }));
    await clock.advance(20);
    driver.receive(message(3, { Routes: [to(81, 'a')] }));
    await clock.advance(30);
    await plane.done();
    await clock.advance(5);
    await plane.done();
    assert.deepEqual(driver.delays.summary, { count: 3, median_ms: 35, max_ms: 50 });
  });

  it('forgets with a full message what is not in it', async () => {
    driver.receive(message(1, { Full: true, Routes: [to(80, 'a'), to(81, 'a')] }));
    await plane.done();
    driver.receive(message(2, { Full: true, Routes: [to(81, 'a')] }));
    await plane.done();
    assert.deepEqual(plane.asked.at(-1), ['tcp/81:a']);
  });

  it('tells when tasks stop being busy, once anything was applied', async () => {
    plane.release('a');
    assert.deepEqual(told, []);
    driver.receive(message(7, { Full: true }));
    await plane.done();
    plane.release();
    assert.deepEqual(told, [
      [7, ['a']],
      [7, []],
    ]);
  });

  it('says again what is applied when a new session sends the same', async () => {
    for (let session = 0; session < 2; session++) {
      driver.receive(message(5, { Full: true, Routes: [to(80, 'a')] }));
      await plane.done();
    }
    assert.deepEqual(told, [
      [5, []],
      [5, []],
    ]);
  });

  it('keeps what it has from a manager that is behind until that has caught up', async () => {
    driver.receive(message(10, { Full: true, Routes: [to(80, 'b')] }));
    await plane.done();
    driver.receive(message(8, { Full: true, Routes: [to(80, 'a', 'b')] }));
    await clock.advance(1000);
    assert.equal(plane.underWay, 0);
    assert.deepEqual(told.at(-1), [8, []]);
    driver.receive(message(11, { Routes: [to(80, 'b', 'c')] }));
    await plane.done();
    assert.deepEqual(plane.asked, [['tcp/80:b'], ['tcp/80:b,c']]);
    assert.deepEqual(told.at(-1), [11, []]);
  });

  it('keeps what is being applied from a manager that is behind it', async () => {
    driver.receive(message(5, { Full: true }));
    await plane.done();
    driver.receive(message(10, { Routes: [to(80, 'b')] }));
    driver.receive(message(8, { Full: true, Routes: [to(80, 'a')] }));
    await plane.done();
    assert.equal(plane.underWay, 0);
    driver.receive(message(10, { Routes: [to(80, 'b')] }));
    await plane.done();
    assert.deepEqual(plane.asked, [[], ['tcp/80:b'], ['tcp/80:b']]);
  });

  it('makes names mean what was heard at once, whatever is being applied, and never what is older', async () => {
    const known: number[] = [];
    const networks = {
      know: ({ peers }: NetworkItems) => void known.push(peers.size),
      apply: async () => {},
    };
    const log = winston.createLogger({ silent: true });
    const other = new PlaneDriver({ plane, networks, clock, log, applied: () => {} });
    const peers = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        ID: `n${at}`,
        Number: at + 1,
        Address: '',
        DataPathPort: 0,
        EncryptionEpoch: 0,
      }));
    other.receive(message(5, { Full: true, Peers: peers(1) }));
    other.receive(message(6, { Peers: peers(2) }));
    assert.deepEqual([plane.underWay, known], [1, [1, 2]]);
    other.receive(message(4, { Full: true, Peers: peers(3) }));
    assert.deepEqual(known, [1, 2]);
    await plane.done();
    await other.close();
  });

  it('believes a manager that stays behind after a while', async () => {
    driver.receive(message(10, { Full: true, Routes: [to(80, 'b')] }));
    await plane.done();
    driver.receive(message(8, { Full: true, Routes: [to(80, 'a')] }));
    await clock.advance(5000);
    await plane.done();
    assert.deepEqual(plane.asked.at(-1), ['tcp/80:a']);
    assert.deepEqual(told.at(-1), [8, []]);
  });

  it('does not wait longer for a manager that is behind because that says much', async () => {
    driver.receive(message(10, { Full: true, Routes: [to(80, 'b')] }));
    await plane.done();
    driver.receive(message(4, { Full: true, Routes: [to(80, 'a')] }));
    for (const revision of [5, 6, 7, 8]) {
      await clock.advance(1000);
      driver.receive(message(revision, { Routes: [to(80, `a${revision}`)] }));
    }
    assert.equal(plane.underWay, 0);
    await clock.advance(1000);
    await plane.done();
    assert.deepEqual(plane.asked.at(-1), ['tcp/80:a8']);
    driver.receive(message(9, { Routes: [to(80, 'c')] }));
    await plane.done(); // it is no longer behind what the plane has
    assert.deepEqual(told.at(-1), [9, []]);
  });

  it('asks a plane that refused again, and says nothing of it before', async () => {
    driver.receive(message(1, { Full: true, Routes: [to(80, 'a')] }));
    await plane.done(new ShoalError('unavailable', 'the kernel said no'));
    assert.deepEqual(told, []);
    driver.receive(message(2, { Routes: [to(81, 'a')] }));
    await plane.done(new ShoalError('unavailable', 'the kernel said no'));
    assert.equal(plane.underWay, 0);
    await clock.advance(1000);
    await plane.done();
    assert.deepEqual(told, [[2, []]]);
    assert.deepEqual(plane.asked.at(-1), ['tcp/80:a', 'tcp/81:a']);
  });

  it('does nothing once closed, but lets what is under way end', async () => {
    driver.receive(message(1, { Full: true, Routes: [to(80, 'a')] }));
    driver.receive(message(2, { Routes: [to(81, 'a')] }));
    const closed = driver.close();
    await plane.done();
    await closed;
    driver.receive(message(3, { Full: true }));
    plane.release();
    await clock.advance(10_000);
    assert.deepEqual([plane.asked.length, told], [1, []]);
  });
});
