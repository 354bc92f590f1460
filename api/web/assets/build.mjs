// Copies what the pages take from npm to api/web/static/vendor/, so that nothing comes from elsewhere at run time.
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const modules = join(root, "node_modules");
const vendor = join(root, "api/web/static/vendor");
const files = {
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "htmx.LICENSE": "htmx.org/LICENSE",
  "inter.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  "inter-ext.woff2": "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
  "inter.LICENSE": "@fontsource-variable/inter/LICENSE",
};

await mkdir(vendor, { recursive: true });
await Promise.all(Object.entries(files).map(([name, source]) => copyFile(join(modules, source), join(vendor, name))));
