// `npm run docs`: writes docs/flags.md from the table of flags. A test fails when the page is not what this would write.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { flagsPage } from "./lib/flags-page.ts";

writeFileSync(join(import.meta.dirname, "../docs/flags.md"), flagsPage());
