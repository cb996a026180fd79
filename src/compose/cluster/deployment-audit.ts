// Who has deployed what, and when: kept in the cluster itself, since whoever deploys may have no folder that is kept.
import { hostname, userInfo } from "node:os";
import type { Clock } from "../../core/clock.ts";
import type { Graph } from "../../index.ts";
import type { LogReader, Producer, TopicSettings } from "../../log/port.ts";
import type { AuditEntry, AuditRecord } from "../../serve/auth/audit-log.ts";

export const auditTopic: TopicSettings = { name: "deployment.audit", form: "records", partitions: 1, retention: {} };

/** Longer ones are cut: a record has a bound. */
const stepsMax = 200;

export interface Deploying {
  /** The command, such as `rdg deploy`. */
  readonly operation: string;
  readonly clock: Clock;
}

/** What is to be changed of what; fingerprints of the definition that was deployed and of the one that will be. */
export interface DeployedChange {
  readonly graph: Pick<Graph, "name" | "fingerprint">;
  readonly before: string | undefined;
  readonly steps: readonly {
    readonly kind: string;
    readonly name: string;
    readonly what: string;
    readonly risk: string;
  }[];
  readonly allowed: readonly string[];
}

/** Durable when it resolves. @param producer the one that may change what is deployed: nobody else deploys meanwhile */
export async function recordDeployment(
  producer: Producer,
  event: "deployment.begun" | "definition.deployed",
  { operation, clock }: Deploying,
  { graph, before, steps, allowed }: DeployedChange,
): Promise<void> {
  const { username } = userInfo();
  const entry: AuditEntry = {
    event,
    who: { id: `user:${username}`, name: username },
    address: hostname(),
    operation,
    target: graph.name,
    details: {
      fingerprint: graph.fingerprint,
      ...(before === undefined ? {} : { before }),
      steps: steps.slice(0, stepsMax).map(({ kind, name, what, risk }) => `${risk}: ${kind} ${name}: ${what}`),
      ...(steps.length > stepsMax ? { stepsLeftOut: steps.length - stepsMax } : {}),
      ...(allowed.length === 0 ? {} : { allowed }),
    },
  };
  const record: AuditRecord = { at: new Date(clock.now()).toISOString(), ...entry };
  const bytes = Buffer.from(JSON.stringify(record));
  await producer.append(auditTopic.name, 0, { count: 1, values: { bytes, starts: Uint32Array.of(0, bytes.length) } });
}

/** All of them, oldest first; undefined for what is no record of an audit. */
export async function* readDeployments(log: LogReader): AsyncGenerator<AuditRecord | undefined> {
  if (!(await log.topics()).some(({ name }) => name === auditTopic.name)) return;
  for await (const { count, values } of log.read({ topics: [auditTopic.name], until: [] })) {
    for (let i = 0; i < count; i++) {
      yield recordOf(Buffer.from(values.bytes.subarray(values.starts[i], values.starts[i + 1])).toString("utf8"));
    }
  }
}

function recordOf(text: string): AuditRecord | undefined {
  try {
    const record = JSON.parse(text) as AuditRecord | null;
    return typeof record?.at === "string" && typeof record.event === "string" ? record : undefined;
  } catch {
    return undefined;
  }
}
