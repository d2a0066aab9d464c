import type { IncomingHttpHeaders } from 'node:http';

const LOOPBACK = /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/i;

/**
 * Listening on loopback keeps other machines out, but not web pages in this machine's browser. A page whose domain
 * resolves to 127.0.0.1 shows in Host, a page's script or form in Origin; programs send neither.
 * @returns why a request is refused; undefined when it comes from a program on this machine
 */
export function untrustedHost({ host, origin }: IncomingHttpHeaders): string | undefined {
  if (host === undefined || !LOOPBACK.test(host))
    return `Expected the Host 127.0.0.1 or localhost but received ${host ?? 'none'}: this server is for programs on this machine.`;
  if (origin !== undefined)
    return `Expected no Origin but received ${origin}: this server is for programs on this machine, not for web pages.`;
  return undefined;
}
