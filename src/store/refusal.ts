import type { Verdict } from './view.js';

export type Refusal = Omit<Extract<Verdict, { ok: false }>, 'ok' | 'operation'>;

/** A refused operation; becomes the transaction's verdict. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

export const refuse = (code: Refusal['code'], message: string): never => {
  throw new Refused({ code, message });
};
