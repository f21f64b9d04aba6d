import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { dynamicConfigArguments } from '../../infra/services/temporal';
import { searchAttributes } from '../../src/call/names';
import { readConfig } from '../../src/config';
import namespace from '../../temporal-config/namespace.json';
import { checkout, readCompose, readText, withDefaults } from './compose-file';

const scripts = ['temporal-config/setup-namespace.sh', 'temporal-config/setup-schema.sh'];

describe('namespace.json', () => {
  it('names the namespace that everything uses by default', () => {
    expect(namespace.namespace).toBe(readConfig({}).TEMPORAL_NAMESPACE);
    const inCompose = Object.values(readCompose().services).flatMap(
      ({ environment }) => environment?.['TEMPORAL_NAMESPACE'] ?? [],
    );
    expect(new Set(inCompose.map((name) => withDefaults(String(name))))).toEqual(new Set([namespace.namespace]));
  });

  it('has the search attributes that the workflows set', () => {
    expect(Object.keys(namespace.searchAttributes).sort()).toEqual(Object.values(searchAttributes).sort());
  });

  it('is where setup-namespace.sh has the namespace, its retention and its attributes from', () => {
    const script = readText('temporal-config/setup-namespace.sh');
    for (const field of Object.keys(namespace)) expect(script).toMatch(new RegExp(`jq -r '?\\.${field}\\b`));
    for (const name of Object.keys(namespace.searchAttributes)) expect(script).not.toContain(name);
  });
});

describe('the scripts', () => {
  it.each(scripts)('%s can be run, and stops at the first failure', (script) => {
    expect(() => accessSync(join(checkout, script), constants.X_OK)).not.toThrow();
    expect(readText(script)).toMatch(/^#!\/bin\/sh\n(#.*\n)*set -eu\n/);
  });
});

describe('dynamicconfig.yaml', () => {
  it('reaches the native server as it reaches the one in Docker', () => {
    const file = 'temporal-config/dynamicconfig.yaml';
    const entries = Object.keys(parse(readText(file)) as Record<string, unknown>);
    const given = dynamicConfigArguments(join(checkout, file)).filter((_, index) => index % 2 === 1);
    expect(given.map((argument) => argument.split('=')[0])).toEqual(entries);
  });

  it('keeps the native server from reading every search attribute anew, as the one in Docker does', () => {
    const given = dynamicConfigArguments(join(checkout, 'temporal-config/dynamicconfig.yaml'));
    expect(given).toContain('system.forceSearchAttributesCacheRefreshOnRead=false');
  });
});
