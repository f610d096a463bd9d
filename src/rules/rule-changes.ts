import { type Clock, sleep } from "../clock.ts";
import type { FollowCommand } from "../run-command.ts";
import type { BackendName } from "./backend.ts";

/** Calls `onChange` whenever rules may have changed, at least once soon after the start, until `signal` aborts. It never rejects. */
export type WatchRules = (onChange: () => void, signal: AbortSignal) => Promise<void>;

/** A backend, and the program of an iptables backend. */
interface WatchedBackend {
  readonly name: BackendName;
  readonly program: string;
}

/** A program that goes on, and which of its lines tell of a change. */
interface Teller {
  readonly command: readonly [program: string, ...args: string[]];
  readonly concerns: RegExp;
}

/**
 * A line of `nft monitor` that may be about a chain of ours, or about one that calls ours; the mark of a release is named like ours. And the
 * one by which it says that it has missed some.
 */
const CONCERNS: Readonly<Record<Exclude<BackendName, "iptables-legacy">, RegExp>> = {
  nftables: /^# ERROR| inet imdsgate(-closed|-released)?(?![\w-])/,
  "iptables-nft": /^# ERROR|^\S+ (table ip6? (nat|mangle|filter)$|.*\b(IMDSGATE\S+|PREROUTING|FORWARD|INPUT|OUTPUT|POSTROUTING)\b)/,
};

/**
 * Of iptables-legacy nothing tells. A shell of our own, which looks every 0.8 s and compares by itself, costs a sixth of what starting the
 * two programs from here does. It says each look that differs from what stood for six looks: one that differs from the look before would
 * not show what was repaired and damaged again in between. It compares built-in chains and ours without the counters, which change always.
 * It ends when it is told to, and by itself when we are gone.
 */
const LEGACY_LOOKS = `
trap '[ -z "$sleeping" ] || kill "$sleeping"; exit 0' TERM
set -f
IFS='
'
calm=
last=
while kill -0 "$PPID" 2>/dev/null; do
  now=.
  for line in $("$1"; "$2"); do
    case $line in
      '*'* | '-A PREROUTING '* | '-A INPUT '* | '-A FORWARD '* | '-A OUTPUT '* | '-A POSTROUTING '* | '-A IMDSGATE'* | ':IMDSGATE_'*) now="$now
$line" ;;
    esac
  done
  if [ "$now" = "$calm" ]; then
    last=
  else
    [ "$now" = "$last" ] || seen=0
    last=$now
    seen=$((seen + 1))
    [ "$seen" -lt 6 ] || calm=$now
    echo changed
  fi
  sleep 0.8 &
  sleeping=$!
  wait "$sleeping" || exit 1
  sleeping=
done 2>/dev/null
`;

/** Until a program surely listens; what changed before is seen by the look then. */
const LISTENS_AFTER_MS = 250;
const RESTART_MS = 500;

/** nftables tells of every change, also of those by iptables-nft; iptables-legacy is looked at. */
export function ruleChanges(backend: WatchedBackend, follow: FollowCommand, clock: Clock): WatchRules {
  const { command, concerns } = tellerFor(backend);
  const [program, ...args] = command;
  // Where the program does not stay alive, its restarts come to the same as polling.
  return async (onChange, signal) => {
    while (!signal.aborted) {
      const cancel = clock.after(LISTENS_AFTER_MS, onChange);
      await follow(program, args, (line) => concerns.test(line) && onChange(), signal);
      cancel();
      onChange();
      await sleep(clock, RESTART_MS, signal);
    }
  };
}

function tellerFor({ name, program }: WatchedBackend): Teller {
  if (name !== "iptables-legacy") return { command: ["nft", "monitor"], concerns: CONCERNS[name] };
  const programs = [program, program.replace(/^iptables/, "ip6tables")].map((iptables) => `${iptables}-save`);
  return { command: ["sh", "-c", LEGACY_LOOKS, "sh", ...programs], concerns: /^changed$/ };
}
