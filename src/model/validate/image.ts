import { refuseAs, shown } from './check.js';

// The grammar of distribution/reference. Every repetition begins with a character that what precedes it cannot end in, so
// that no input makes the match slow.
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const domain = `(?:${label}(?:\\.${label})*|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?`;
const tag = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,256}';
const reference = new RegExp(`^((?:${domain}/)?${component}(?:/${component})*)(?::${tag})?(?:@${digest})?$`);
const bareDigest = /^[0-9a-f]{64}$/;

/** An image reference, in Docker's words when it is none. */
export function checkImage(where: string, image: string): void {
  if (image === '') refuseAs('ContainerSpec: image reference must be provided', where);
  const name = image.length > 1024 ? undefined : reference.exec(image)?.[1];
  if (name === undefined || name.length > 255 || bareDigest.test(image)) {
    refuseAs(`ContainerSpec: ${shown(image)} is not a valid repository/tag`, where);
  }
}
