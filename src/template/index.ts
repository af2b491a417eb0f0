export { TemplateError } from './error.js';
export { dockerFunctions, type Functions, type TemplateFunction } from './functions.js';
export { expandContainer, expandPayload, type Payloads, type TemplateNode } from './task.js';
export { Template } from './template.js';
