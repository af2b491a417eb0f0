/** A template that cannot be read or run. The message has the place, in Go's words: `template: :1:2: executing "" at <.X>: …`. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(`template: :${message}`);
    this.name = 'TemplateError';
  }
}
