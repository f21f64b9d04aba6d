import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type BuildResult } from 'esbuild';
import { placesFor } from './places';

/**
 * Bundles the live page to `dist/page/`, which src/api/page.ts serves: `index.html`, and the assets under names that change
 * with what is in them. What it is made of is checked by `npm run lint`, as esbuild looks at no types.
 */
const source = join(placesFor().checkout, 'src/page');
const target = join(placesFor().checkout, 'dist/page');

async function bundlePage(): Promise<void> {
  const unfinished = `${target}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(join(unfinished, 'assets'), { recursive: true });
  const result = await build({
    entryPoints: {
      page: join(source, 'main.tsx'),
      style: join(source, 'style/page.css'),
      icon: join(source, 'icon.svg'),
    },
    outdir: join(unfinished, 'assets'),
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    metafile: true,
    legalComments: 'eof',
    target: ['es2023', 'chrome123', 'firefox121', 'safari17.5'],
    tsconfig: join(source, 'tsconfig.json'),
    loader: { '.svg': 'copy' },
    logLevel: 'warning',
  });
  writeFileSync(join(unfinished, 'index.html'), htmlWith(outputsOf(result)));
  rmSync(target, { recursive: true, force: true });
  renameSync(unfinished, target);
}

/** By entry point: the file it has become. */
function outputsOf({ metafile }: BuildResult<{ metafile: true }>): Map<string, string> {
  return new Map(
    Object.entries(metafile.outputs).flatMap(([file, { entryPoint }]) =>
      entryPoint === undefined ? [] : [[basename(entryPoint), `/assets/${basename(file)}`] as const],
    ),
  );
}

function htmlWith(outputs: Map<string, string>): string {
  const html = readFileSync(join(source, 'index.html'), 'utf8');
  return html.replaceAll(/(src|href)="\.\/(?:[\w-]+\/)*([\w.-]+)"/g, (_, attribute: string, name: string) => {
    const output = outputs.get(name);
    if (output === undefined) throw new Error(`index.html names ${name}, which is not among what is bundled`);
    return `${attribute}="${output}"`;
  });
}

bundlePage().catch((error: unknown) => {
  process.stderr.write(`The page could not be bundled: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
