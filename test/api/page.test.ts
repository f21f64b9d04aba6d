import { startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
afterEach(() => api.close());

test('the page takes every asset from this server, under a policy that allows no script or style but those', async () => {
  api = await startApi();
  const page = await api.request('GET', '/');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('cache-control')).toBe('no-store');
  expect(page.headers.get('content-security-policy')?.split('; ')).toEqual([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ]);

  const addresses = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address);
  const assets = addresses.filter((address) => address !== '/docs');
  expect(assets.map((address) => address.replace(/-\w+\./, '.'))).toEqual([
    '/assets/icon.svg',
    '/assets/style.css',
    '/assets/page.js',
  ]);
  for (const address of assets) {
    const asset = await api.request('GET', address);
    expect([address, asset.status]).toEqual([address, 200]);
    expect(asset.text.length).toBeGreaterThan(200);
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  }
  expect((await api.request('GET', '/assets/..%2findex.html')).status).toBe(404);
});

test('it is served to whoever comes without a key: it holds nothing but where Temporal is', async () => {
  api = await startApi({
    env: { API_KEYS: 'required', TEMPORAL_UI_URL: 'https://temporal.example', TEMPORAL_NAMESPACE: 'a"<b' },
  });
  const page = await api.request('GET', '/');
  expect(page.status).toBe(200);
  expect(page.text).toContain(
    '<meta name="temporal-workflows" content="https://temporal.example/namespaces/a%22%3Cb/workflows/call-" />',
  );
});
