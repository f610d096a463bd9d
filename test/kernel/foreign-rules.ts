import type { Namespace } from "./namespace.ts";

const NFT = `
table inet firewall {
  set admins { type ipv4_addr; elements = { 10.0.0.1 }; }
  chain input { type filter hook input priority filter; policy accept; ip saddr @admins accept; tcp dport 25 drop; }
}
table ip filter {
  chain FORWARD { type filter hook forward priority filter; policy drop; }
}
`;
const IPTABLES = `*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
COMMIT
`;

/** Rules of others: a table of nft, Docker-like chains of both iptables variants, one of them only half there. */
export async function loadForeignRules({ sh }: Namespace): Promise<void> {
  await sh("nft", ["-f", "-"], NFT);
  await sh("iptables-nft-restore", ["--noflush"], IPTABLES);
  await sh("iptables-legacy-restore", ["--noflush", "-w"], IPTABLES);
  await sh("ip6tables-legacy", ["-w", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP"]);
}
