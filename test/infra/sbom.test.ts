import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import packageJson from '../../package.json';
import { checkout } from '../docs/documents';

test('the bill of materials names what is shipped, in its version, and nothing that is only built or tested with', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sbom-'));
  try {
    for (const file of ['package.json', 'package-lock.json', '.npmrc', 'infra/sbom.mjs'])
      cpSync(join(checkout, file), join(directory, file));
    execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: directory });
    const { bomFormat, components } = JSON.parse(readFileSync(join(directory, 'sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: { name: string; version: string }[];
    };
    expect(bomFormat).toBe('CycloneDX');
    const named = components.map(({ name, version }) => `${name}@${version}`);
    expect(named).toEqual(
      expect.arrayContaining(Object.entries(packageJson.dependencies).map(([name, version]) => `${name}@${version}`)),
    );
    const names = components.map(({ name }) => name);
    expect(['jest', 'typescript', 'eslint', 'prettier'].filter((name) => names.includes(name))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
