import ipaddr from 'ipaddr.js';

/**
 * Where webhooks may go: to hosts on the public internet, and to those networks besides that an operator named. Clients
 * choose the URLs, so without this they could have us call what only we can reach.
 *
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
 */
export type AllowedNetworks = readonly string[];

const maxCharacters = 2_048;

/** All of IPv6 that is in use on the public internet; the rest is special or given to nobody. */
const publicIpv6 = '2000::/3';

/** By their numbers public, but answered by the cloud that we may run in: Azure's agent endpoint. */
const ofTheCloud = ['168.63.129.16'];

/** @returns whether it is a network in CIDR notation, such as 10.1.0.0/16 */
export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}

/** @returns undefined where a webhook may be sent to the URL as far as its text tells, else why not, in words for the client */
export function webhookUrlProblem(text: string, allowed: AllowedNetworks): string | undefined {
  if (text.length > maxCharacters) return `must have at most ${maxCharacters} characters`;
  // A URL parser drops line ends and more without a word; only what is sent as it was written is taken.
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) {
    return 'must be a URL such as https://example.org/webhooks, in visible ASCII characters';
  }
  const { protocol, username, password, hash, hostname } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'must start with https:// or http://';
  if (username !== '' || password !== '') return 'must not carry a user or a password';
  if (hash !== '') return 'must not have a fragment';
  const literal = addressIn(hostname) ?? (isLoopbackName(hostname) ? '127.0.0.1' : undefined);
  if (literal !== undefined && !mayReach(literal, allowed)) {
    return 'names an address that webhooks may not go to (setting WEBHOOK_ALLOWED_NETWORKS)';
  }
  return undefined;
}

/** @returns the address where a URL's host is one and not a name. The URL parser has made 0x7f.1 and the like plain */
export function addressIn(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return ipaddr.isValid(bare) ? bare : undefined;
}

/** Whether a webhook may be sent to the address, IPv4 or IPv6. An IPv4 address wrapped in an IPv6 one counts as itself. */
export function mayReach(address: string, allowed: AllowedNetworks): boolean {
  if (!ipaddr.isValid(address)) return false;
  const reached = unwrapped(ipaddr.parse(address));
  return isPublic(reached) || allowed.some((network) => isWithin(reached, network));
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast' || ofTheCloud.includes(address.toString())) return false;
  return address.kind() === 'ipv4' || isWithin(address, publicIpv6);
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean {
  const range = ipaddr.parseCIDR(network);
  return address.kind() === range[0].kind() && address.match(range);
}

/** Ways to write an IPv4 address in IPv6: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4 (2002::/16). */
function unwrapped(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  const bytes = address.toByteArray();
  if (address.isIPv4MappedAddress() || isWithin(address, '64:ff9b::/96')) return new ipaddr.IPv4(bytes.slice(12));
  if (isWithin(address, '2002::/16')) return new ipaddr.IPv4(bytes.slice(2, 6));
  return address;
}

/** What resolves to this very machine wherever it is looked up (RFC 6761). Other names are looked at when they resolve. */
function isLoopbackName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/.test(hostname);
}
