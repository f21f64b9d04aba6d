import { existsSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json';
import { checkout, readCompose, readText } from './compose-file';

const lines = readText('Dockerfile').replaceAll('\\\n', ' ').split('\n');
const argumentsOf = (instruction: string) =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1).trim());
const stages = argumentsOf('FROM').map((from) => /^(\S+) AS (\S+)$/.exec(from)?.slice(1) ?? [from, '']);

/** dist/src/start/api.js → src/start/api.ts */
const sourceOf = (compiled: string) => compiled.replace(/^dist\//, '').replace(/\.js$/, '.ts');

describe('the Dockerfile', () => {
  it('builds on one pinned Debian image of the Node that package.json asks for', () => {
    const bases = stages.map(([base]) => base ?? '').filter((base) => !stages.some(([, name]) => name === base));
    expect(bases).toEqual([expect.stringMatching(/^node:20\.\d+-bookworm-slim$/)]);
    const [, minor] = /^node:20\.(\d+)/.exec(bases[0] ?? '') ?? [];
    const [, oldestMinor] = />=20\.(\d+)/.exec(packageJson.engines.node) ?? [];
    expect(Number(minor)).toBeGreaterThanOrEqual(Number(oldestMinor));
  });

  it('copies from stages before it and files that exist and are not ignored', () => {
    const allowed = readText('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    for (const copy of argumentsOf('COPY')) {
      const words = copy.split(/\s+/);
      const from = /^--from=(.+)$/.exec(words[0] ?? '')?.[1];
      if (from !== undefined) {
        expect(stages.map(([, name]) => name)).toContain(from);
        continue;
      }
      for (const source of words.slice(0, -1)) {
        expect(existsSync(join(checkout, source))).toBe(true);
        expect(allowed).toContain(`!${source}`);
      }
    }
  });

  it('runs npm scripts that exist', () => {
    const scripts = argumentsOf('RUN').flatMap((run) => /npm run (\S+)/.exec(run)?.[1] ?? []);
    expect(scripts).toEqual(['build']);
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining(scripts));
  });

  it('ends in an image without development packages, run by a user without rights', () => {
    const production = lines.slice(lines.findIndex((line) => line.endsWith(' AS production')));
    expect(production).toContain('COPY --from=packages /app/node_modules node_modules');
    expect(argumentsOf('RUN').some((run) => run.includes('npm ci --omit=dev'))).toBe(true);
    expect(production.filter((line) => line.startsWith('USER'))).toEqual(['USER node']);
  });

  it('starts programs that exist, and so does each of its containers', () => {
    const commands = Object.values(readCompose().services).flatMap(({ build, command }) =>
      build === undefined ? [] : [command?.[1] ?? ''],
    );
    const own = JSON.parse(argumentsOf('CMD')[0] ?? '[]') as string[];
    for (const program of [...commands, own[1] ?? '']) {
      expect(program).toMatch(/^dist\/.*\.js$/);
      expect([program, existsSync(join(checkout, sourceOf(program)))]).toEqual([program, true]);
    }
  });
});
