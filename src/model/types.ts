// The generated model under its plain names. `Task` is a whole message; `TaskInit` one with fields left out.
export type * from './generated/index.js';
