import { startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

test('the page to try the API takes every asset from this server, and its policy allows no other', async () => {
  const page = await api.request('GET', '/docs');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self'/);

  const addresses = [...page.text.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, address = '']) => address);
  expect(addresses).toHaveLength(3);
  for (const address of addresses) {
    expect(address).toMatch(/^\/docs\//);
    const asset = await api.request('GET', address);
    expect([address, asset.status]).toEqual([address, 200]);
    expect(asset.text.length).toBeGreaterThan(50);
  }
});

test('the page follows a system that is set to dark', async () => {
  expect((await api.request('GET', '/docs/swagger-ui.css')).text).toContain('html.dark-mode');
  expect((await api.request('GET', '/docs/start.js')).text).toContain("toggle('dark-mode', dark.matches)");
});

test('the page offers to give a key, which it keeps for as long as it is open, and sends it where one is asked for', async () => {
  const { body } = await api.request('GET', '/openapi.json');
  expect(body).toMatchObject({
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths: { '/calls': { post: { security: [{}, { bearer: ['write'] }] } } },
  });
  expect((await api.request('GET', '/docs/start.js')).text).not.toContain('persistAuthorization');
});
