import { mayReach, webhookUrlProblem } from '../../src/call/webhook-url';

test.each([
  'https://example.org/webhooks',
  'http://example.org:8080/?token=a%20b',
  'https://8.8.8.8/hook',
  'https://[2606:4700::1111]/hook',
  'https://xn--bcher-kva.example/',
])('%s is taken', (url) => {
  expect(webhookUrlProblem(url, [])).toBeUndefined();
});

test.each([
  ['', 'a URL'],
  ['example.org/webhooks', 'a URL'],
  ['https://', 'a URL'],
  ['https://bücher.example/', 'visible ASCII'],
  [' https://example.org', 'visible ASCII'],
  ['https://exa\nmple.org', 'visible ASCII'],
  ['https://example.org/\u0000', 'visible ASCII'],
  ['ftp://example.org', 'https:// or http://'],
  ['file:///etc/passwd', 'https:// or http://'],
  ['gopher://example.org', 'https:// or http://'],
  ['javascript:alert(1)', 'https:// or http://'],
  ['https://user@example.org', 'user or a password'],
  ['https://:secret@example.org', 'user or a password'],
  ['https://example.org/#part', 'fragment'],
  [`https://example.org/${'a'.repeat(2_048)}`, '2048 characters'],
])('%j is refused: %s', (url, reason) => {
  expect(webhookUrlProblem(url, [])).toContain(reason);
});

/** Every way in which a URL can name an address that must not be reached. */
const inwards = [
  ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.0.0.1.', '0', '0.0.0.0'],
  ...['localhost', 'LOCALHOST', 'localhost.', 'app.localhost'],
  ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '169.254.169.254', '169.254.170.2'],
  ...['192.0.0.192', '198.18.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1', '168.63.129.16', '192.0.2.1'],
  ...['[::]', '[::1]', '[::7f00:1]', '[::ffff:127.0.0.1]', '[::ffff:a9fe:a9fe]', '[64:ff9b::10.0.0.1]'],
  ...['[64:ff9b:1::a00:1]', '[2002:a00:1::1]', '[2001:0:a00:1::1]', '[fe80::1]', '[fc00::1]', '[fd00:ec2::254]'],
  ...['[fec0::1]', '[ff02::1]', '[2001:db8::1]', '[100::1]', '[4000::1]'],
];

test.each(inwards)('http://%s is refused', (host) => {
  expect(webhookUrlProblem(`http://${host}:8080/latest/meta-data`, [])).toContain('WEBHOOK_ALLOWED_NETWORKS');
});

test('a network that an operator named is taken, and no address beside it', () => {
  const allowed = ['10.1.0.0/16', '127.0.0.1/32', 'fd12::/16'];
  for (const host of ['10.1.2.3', '127.0.0.1', 'localhost', '[::ffff:10.1.2.3]', '[fd12::1]']) {
    expect(webhookUrlProblem(`http://${host}/`, allowed)).toBeUndefined();
  }
  for (const host of ['10.2.0.1', '127.0.0.2', '[fd13::1]', '[::1]']) {
    expect(webhookUrlProblem(`http://${host}/`, allowed)).toBeDefined();
  }
});

test('an IPv4 address that is public stays so however it is wrapped; what is no address is never reached', () => {
  for (const address of ['8.8.8.8', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1']) {
    expect(mayReach(address, [])).toBe(true);
  }
  for (const text of ['', 'example.org', '8.8.8.8.8', 'fe80::1%eth0']) expect(mayReach(text, [])).toBe(false);
});
