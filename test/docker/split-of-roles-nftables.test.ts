import { splitOfRoles } from "./split-of-roles.ts";

splitOfRoles("nftables");
