import { SIM_INSTANCE_ROLE } from "../sim/instance-facts.ts";
import type { Gateway } from "./gateway.ts";
import { runWords, startGateway } from "./gateway.ts";
import { auditLogScene, leakScene } from "./log-scenes.ts";
import type { Page } from "./page.ts";
import { statusOf, questionFor, bodyOf } from "./question.ts";
import { everythingElseScene, nothingOfOthersScene, ownRolesScene } from "./role-scenes.ts";
import type { Stage } from "./stage.ts";
import { createTelling, type Telling } from "./telling.ts";

