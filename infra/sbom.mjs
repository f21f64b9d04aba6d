// Writes what is shipped to sbom.cdx.json. npm's own `--omit=dev` leaves out as well what we and a tool of ours both use, so
// that what it marks as for development alone is left out here.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const options = ['--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
const bill = JSON.parse(execFileSync('npm', ['sbom', ...options], { encoding: 'utf8', maxBuffer: 2 ** 26 }));
const isShipped = ({ properties = [] }) => !properties.some(({ name }) => name === 'cdx:npm:package:development');
bill.components = bill.components.filter(isShipped);
const known = new Set([bill.metadata.component, ...bill.components].map((component) => component['bom-ref']));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => known.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => known.has(one)) }));
writeFileSync('sbom.cdx.json', `${JSON.stringify(bill, null, 2)}\n`);
