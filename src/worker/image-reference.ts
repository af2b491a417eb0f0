/**
 * What to ask the engine to pull. Without a tag it would fetch every tag of the repository, so `latest` is said; a digest says it
 * all (a tag beside it is for people).
 */
export function pullReference(image: string): { fromImage: string; tag: string } {
  const [name = '', digest] = image.split('@', 2);
  const colon = name.lastIndexOf(':');
  const isTag = colon > name.lastIndexOf('/'); // else the colon is a registry's port
  const repository = isTag ? name.slice(0, colon) : name;
  return { fromImage: repository, tag: digest ?? (isTag ? name.slice(colon + 1) : 'latest') };
}
