// `npm run docs`: writes docs/flags.md from the table of flags and docs/credentials.md from the rows of the tests of faults. A test fails
// when a page is not what this would write.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { credentialsPage } from "./lib/credentials-page.ts";
import { flagsPage } from "./lib/flags-page.ts";

const DOCS = join(import.meta.dirname, "../docs");
writeFileSync(join(DOCS, "flags.md"), flagsPage());
writeFileSync(join(DOCS, "credentials.md"), credentialsPage());
