import { parseEnv } from 'node:util';

import type { z } from 'zod';

import { infraSettingsSchema, readInfraSettings } from '../../infra/settings';
import { mockSettingsSchema } from '../../mock-provider/settings';
import { parseSettings, readConfig, secretSettings, settingsSchema } from '../../src/config';
import { codeIn, readDocument, section, tableRows } from './documents';

/** The service's own first: what another program shares with it means and defaults to the same. */
const schemas = [settingsSchema.shape, mockSettingsSchema.shape, infraSettingsSchema.shape].map(
  (shape) => new Map<string, z.ZodType>(Object.entries(shape)),
);
const names = [...new Set(schemas.flatMap((shape) => [...shape.keys()]))].sort();

/** What a program makes of a setting's text; undefined stands for one that is not set. */
function meaning(name: string, text: string | undefined): unknown {
  const schema = schemas.find((shape) => shape.has(name))?.get(name);
  if (!schema) throw new Error(`there is no setting ${name}`);
  return schema.parse(text === '' ? undefined : text);
}

const example = readDocument('.env.example');
const lines = [...example.matchAll(/^(# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, unset, name = '', value = '']) => ({
  name,
  value,
  unset: unset !== undefined,
}));

describe('.env.example', () => {
  it('lists every setting once, and no other', () => {
    expect(lines.map(({ name }) => name).sort()).toEqual(names);
  });

  it.each(lines)('$name has its default', ({ name, value }) => {
    expect(meaning(name, value)).toEqual(meaning(name, undefined));
  });

  it('explains each setting above it', () => {
    const blocks = example.split(/\n\n/);
    for (const { name } of lines) {
      const block = blocks.find((text) => new RegExp(`^(# )?${name}=`, 'm').test(text)) ?? '';
      expect([name, block.startsWith('# ')]).toEqual([name, true]);
    }
  });

  it('changes nothing when it is copied as it stands', () => {
    const copied = parseEnv(example) as Record<string, string>;
    expect(Object.keys(copied).sort()).toEqual(
      lines
        .filter(({ unset }) => !unset)
        .map(({ name }) => name)
        .sort(),
    );
    expect(readConfig(copied)).toEqual(readConfig({}));
    expect(readInfraSettings(copied)).toEqual(readInfraSettings({}));
    expect(parseSettings(mockSettingsSchema, copied)).toEqual(parseSettings(mockSettingsSchema, {}));
  });

  it('leaves unset what makes `npm start` use services of others, and the URLs that follow the ports', () => {
    const unset = lines.filter((line) => line.unset).map(({ name }) => name);
    expect(unset).toEqual(
      expect.arrayContaining([
        ...['DATABASE_URL', 'REDIS_URL', 'KAFKA_BROKERS', 'TEMPORAL_ADDRESS'],
        ...['PROVIDER_BASE_URL', 'PUBLIC_BASE_URL'],
      ]),
    );
  });
});

describe("README's settings", () => {
  const rows = tableRows(section(readDocument('README.md'), 'Settings')).map(([name, value, unit, words]) => ({
    name: codeIn(name),
    value: codeIn(value),
    unit,
    words,
  }));

  it('are every setting once, and no other', () => {
    expect(rows.map(({ name }) => name).sort()).toEqual(names);
  });

  it.each(rows)('$name has its default, a unit and a meaning', ({ name, value, unit, words }) => {
    expect(meaning(name, value === 'unset' ? undefined : value)).toEqual(meaning(name, undefined));
    if (value === 'unset') expect(meaning(name, undefined)).toBeUndefined();
    expect(unit).toBeTruthy();
    expect(words).toBeTruthy();
  });

  it('name each secret that may come by a file', () => {
    const named = section(readDocument('README.md'), 'Settings').match(/\b[A-Z_]+_FILE\b/g) ?? [];
    expect(named.map((name) => name.replace(/_FILE$/, '')).sort()).toEqual([...secretSettings].sort());
  });
});
