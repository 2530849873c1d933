// Prints the bill of materials (CycloneDX) of what an image has of npm. `npm sbom --omit=dev --omit=optional` would leave out
// what is needed at run time and for development alike, such as graphql (npm 11.19), so the whole one is taken and cut down.
import { execFileSync } from 'node:child_process';
import { productionPackages } from './production-packages.ts';

interface BillOfMaterials {
  metadata: { component: { 'bom-ref': string } };
  components: { 'bom-ref': string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

const json = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], {
  cwd: `${import.meta.dirname}/..`,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
const bill = JSON.parse(json) as BillOfMaterials;
const inImage = new Set(productionPackages().map(({ name, version }) => `${name}@${version}`));
inImage.add(bill.metadata.component['bom-ref']);

bill.components = bill.components.filter((component) => inImage.has(component['bom-ref']));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => inImage.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => inImage.has(each)) }));
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
