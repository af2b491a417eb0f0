export { TemplateError } from './error.js';
export { dockerFunctions, type Functions, type TemplateFunction } from './functions.js';
export { Template } from './template.js';
