import { createKey, listKeys, revokeKey, type KeyOrder } from '../../src/access/keys';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const reader: KeyOrder = { name: 'dashboard', access: 'read' };

test('a key is shown once: what is kept has its hash alone', async () => {
  const { key, text } = await createKey(database.db, reader);
  expect(text).toMatch(new RegExp(`^aco_${key.id}_[A-Za-z0-9_-]{43}$`));
  const [, , secret = ''] = /^aco_([^_]+)_(.+)$/.exec(text) ?? [];
  const rows = await database.db.selectFrom('api_keys').selectAll().execute();
  expect(rows).toHaveLength(1);
  const kept = rows.flatMap((row) => Object.values(row)).map(String);
  expect(kept).toContain(key.id);
  for (const value of kept) expect(value).not.toContain(secret);
  expect(rows[0]?.secret_hash.includes(Buffer.from(secret, 'base64url'))).toBe(false);
  expect(JSON.stringify(await listKeys(database.db))).not.toContain(secret);
});

test('no two keys are alike', async () => {
  const made = await Promise.all(Array.from({ length: 50 }, () => createKey(database.db, reader)));
  expect(new Set(made.map(({ key }) => key.id)).size).toBe(50);
  expect(new Set(made.map(({ text }) => text.slice(-43))).size).toBe(50);
});

test('all keys are listed, oldest first, with what they may do and whether they were revoked', async () => {
  const first = await createKey(database.db, { name: '  night shift ', access: 'admin', rateLimitPerMinute: 0 });
  const second = await createKey(database.db, reader);
  await revokeKey(database.db, first.key.id);
  expect(await listKeys(database.db)).toEqual([
    {
      id: first.key.id,
      name: 'night shift',
      access: 'admin',
      rateLimitPerMinute: 0,
      createdAt: expect.stringMatching(/Z$/) as unknown,
      revokedAt: expect.stringMatching(/Z$/) as unknown,
      lastUsedAt: null,
    },
    second.key,
  ]);
  expect(second.key).toMatchObject({ access: 'read', rateLimitPerMinute: null, revokedAt: null, lastUsedAt: null });
});

test('to revoke a key twice leaves the first time standing; one that is not there is told', async () => {
  const { key } = await createKey(database.db, reader);
  const once = await revokeKey(database.db, key.id);
  expect(once?.revokedAt).not.toBeNull();
  expect(await revokeKey(database.db, key.id)).toEqual(once);
  expect(await revokeKey(database.db, '000000000000')).toBeUndefined();
});

test.each<[string, Partial<KeyOrder>]>([
  ['a name of spaces', { name: '  ' }],
  ['a name with a line break', { name: 'a\nb' }],
  ['a name of 101 characters', { name: 'x'.repeat(101) }],
  ['a limit below 0', { rateLimitPerMinute: -1 }],
  ['half a request', { rateLimitPerMinute: 0.5 }],
  ['no number', { rateLimitPerMinute: NaN }],
])('%s is refused, and makes no key', async (_, fields) => {
  await expect(createKey(database.db, { ...reader, ...fields })).rejects.toThrow(/must/);
  expect(await listKeys(database.db)).toEqual([]);
});
