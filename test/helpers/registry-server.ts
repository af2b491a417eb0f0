import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

// An image registry in memory (the distribution API, as much as an engine uses to push and pull), for one user:
//   node registry-server.js HOST PORT USER:PASSWORD
const [host = '', port = '', login = ''] = process.argv.slice(2);
const blobs = new Map<string, Buffer>();
const uploads = new Map<string, Buffer>();
const manifests = new Map<string, { type: string; content: Buffer; digest: string }>();
const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const send = (status: number, headers: Record<string, string | number> = {}, content?: Buffer) => {
    response.writeHead(status, {
      'Docker-Distribution-Api-Version': 'registry/2.0',
      'Content-Length': content?.length ?? 0,
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : content);
  };
  if (request.headers.authorization !== `Basic ${Buffer.from(login).toString('base64')}`) {
    const refusal = Buffer.from('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
    return send(401, { 'WWW-Authenticate': 'Basic realm="test"', 'Content-Type': 'application/json' }, refusal);
  }
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://registry');
  const [, name = '', kind = '', reference = ''] =
    /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests)\/(.*)$/.exec(pathname) ?? [];
  if (kind === 'blobs/uploads') {
    const id = reference || randomUUID();
    const content = Buffer.concat([uploads.get(id) ?? Buffer.alloc(0), body]);
    uploads.set(id, content);
    const Location = `/v2/${name}/blobs/uploads/${id}`;
    if (request.method !== 'PUT') {
      return send(202, { Location, Range: `0-${Math.max(0, content.length - 1)}`, 'Docker-Upload-UUID': id });
    }
    uploads.delete(id);
    blobs.set(searchParams.get('digest') ?? '', content);
    return send(201, { Location: `/v2/${name}/blobs/${searchParams.get('digest')}` });
  }
  if (kind === 'manifests' && request.method === 'PUT') {
    const manifest = { type: request.headers['content-type'] ?? '', content: body, digest: digestOf(body) };
    for (const key of [reference, manifest.digest]) manifests.set(`${name} ${key}`, manifest);
    return send(201, { 'Docker-Content-Digest': manifest.digest });
  }
  if (kind === 'manifests') {
    const manifest = manifests.get(`${name} ${reference}`);
    if (manifest === undefined)
      return send(
        404,
        { 'Content-Type': 'application/json' },
        Buffer.from('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'),
      );
    const headers = {
      'Content-Type': manifest.type,
      'Docker-Content-Digest': manifest.digest,
      'Content-Length': manifest.content.length,
    };
    return send(200, headers, manifest.content);
  }
  const blob = blobs.get(reference);
  if (kind === 'blobs' && blob === undefined) return send(404);
  return send(200, { 'Content-Length': blob?.length ?? 2 }, blob ?? Buffer.from('{}'));
}

createServer((request, response) => void answer(request, response)).listen(Number(port), host, () =>
  console.log('ready'),
);
