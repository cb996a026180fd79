// The Kafka log with tokens (OAUTHBEARER) on a broker that checks them against the keys of an authorization server: tokens are renewed before they end, while
// records flow; refusals say what is wrong.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import { oauthTokens } from "../../src/log/kafka/oauth-tokens.ts";
import type { KafkaSasl } from "../../src/log/kafka/settings.ts";
import type { Log } from "../../src/log/port.ts";
import { issue } from "../auth/der.ts";
import { jwksOf, newKey, tokenOf } from "../auth/issuer.ts";
import { startSecureKafka } from "./servers.ts";
import { uniqueName } from "./shared.ts";

const ca = issue({ commonName: "test authority" });
const broker = issue({ commonName: "kafka", dns: ["kafka.example"], issuer: ca });
const topic = { name: "events.hit", form: "records", partitions: 2, retention: {} } as const;
const clientId = "rdg";
const clientSecret = "correct horse";
const lifeSeconds = 10;
const key = newKey("k1", "RS256");
const strangeKey = newKey("k1", "RS256");

/** An authorization server: its keys, and tokens for whoever has the secret. */
let issuer: Server;
let issuerUrl: string;
let issued = 0;
let isDown = false;
let refused = 0;
let kafka: Awaited<ReturnType<typeof startSecureKafka>>;

const tokenBy = (by: typeof key, more: Readonly<Record<string, unknown>> = {}): string => {
  const now = Math.floor(Date.now() / 1000);
  return tokenOf(by, { iss: issuerUrl, sub: clientId, aud: "kafka", iat: now, exp: now + lifeSeconds, ...more });
};

beforeAll(async () => {
  issuer = createServer((request, response) => {
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    };
    if (request.url === "/jwks") return answer(200, jwksOf(key));
    if (isDown) {
      refused++;
      return answer(503, "{}");
    }
    const wanted = `Basic ${Buffer.from(`${clientId}:${encodeURIComponent(clientSecret)}`).toString("base64")}`;
    if (request.headers.authorization !== wanted) return answer(401, '{"error":"invalid_client"}');
    issued++;
    answer(200, JSON.stringify({ access_token: tokenBy(key), token_type: "Bearer", expires_in: lifeSeconds }));
  });
  await new Promise<void>((resolve) => {
    issuer.listen(0, "127.0.0.1", resolve);
  });
  issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const oauth = "org.apache.kafka.common.security.oauthbearer";
  const login = "listener.name.login";
  kafka = await startSecureKafka(
    {
      cert: `${broker.cert}${ca.cert}`,
      key: broker.key,
      clientCa: ca.cert,
      users: [],
      allowed: [`User:${clientId}`],
    },
    {
      [`${login}.sasl.enabled.mechanisms`]: "OAUTHBEARER",
      [`${login}.oauthbearer.sasl.jaas.config`]: `${oauth}.OAuthBearerLoginModule required;`,
      [`${login}.oauthbearer.sasl.server.callback.handler.class`]: `${oauth}.OAuthBearerValidatorCallbackHandler`,
      // Brokers hang up on whoever has not renewed its login by then.
      [`${login}.oauthbearer.connections.max.reauth.ms`]: 3_000,
      "sasl.oauthbearer.jwks.endpoint.url": `${issuerUrl}/jwks`,
      "sasl.oauthbearer.expected.audience": "kafka",
      "sasl.oauthbearer.expected.issuer": issuerUrl,
    },
  );
});
afterAll(async () => {
  await kafka?.stop();
  issuer?.close();
});

async function open(sasl: KafkaSasl): Promise<Log> {
  const connection = { bootstrap: [kafka.login], tls: { ca: ca.cert, serverName: "kafka.example" }, sasl };
  const settings = { prefix: `${uniqueName("log")}.`, retryForMs: 20_000, sessionTimeoutMs: undefined };
  return await openKafkaLog({ connection, clock: systemClock, timers: systemTimers, settings });
}

const bearer = (token: KafkaSasl["token"]): KafkaSasl => ({ mechanism: "OAUTHBEARER", token: token! });
const tokens = (secret = clientSecret): (() => Promise<string>) =>
  oauthTokens({ endpoint: `${issuerUrl}/token`, clientId, clientSecret: secret, clock: systemClock });

test("records and a job's transactions flow on while tokens end and are renewed, and while no new ones can be had for a moment", async () => {
  const log = await open(bearer(tokens()));
  try {
    await log.ensureTopics([topic]);
    const producer = await log.producer("p");
    const worker = await log.joinJob("hit", topic.name);
    const assignment = await worker.assignment();
    const found: string[] = [];
    const reading = new AbortController();
    const read = (async () => {
      for await (const frame of log.read({ topics: [topic.name], signal: reading.signal }))
        found.push(...textsOf(frame));
    })();
    read.catch(() => undefined);
    const sent: string[] = [];
    const step = async (): Promise<void> => {
      sent.push(`${sent.length}`);
      const { last } = await producer.append(topic.name, 1, batchOf([sent.at(-1)!]));
      const counters = { received: [0, sent.length] };
      await assignment.commit({ updates: undefined, quarantined: undefined, inputs: [last], counters });
      await systemTimers.sleep(50);
    };
    const stepUntil = async (isReached: () => boolean): Promise<void> => {
      while (!isReached()) await step();
    };
    const before = issued;
    await stepUntil(() => issued >= before + 1);
    // The next one cannot be had at once.
    isDown = true;
    await stepUntil(() => refused > 0);
    isDown = false;
    await stepUntil(() => issued >= before + 3);
    await expect.poll(() => found, { timeout: 60_000 }).toEqual(sent);
    reading.abort();
    await read;
  } finally {
    isDown = false;
    await log.close();
  }
}, 180_000);

test.each([
  ["that is signed by others", () => tokenBy(strangeKey)],
  ["for another audience", () => tokenBy(key, { aud: "others" })],
  ["that has ended", () => tokenBy(key, { exp: Math.floor(Date.now() / 1000) - 120 })],
  ["that is none", () => "no token"],
])("a token %s is refused", async (_, token) => {
  await expect(open(bearer(token))).rejects.toMatchObject({ kind: "unauthorized", code: "kafka_login_refused" });
});

test("a secret that the authorization server does not know is told", async () => {
  await expect(open(bearer(tokens("wrong")))).rejects.toMatchObject({
    kind: "unauthorized",
    code: "kafka_token_refused",
  });
});

test("an authorization server that cannot be reached is no refusal", async () => {
  const nobody = oauthTokens({ endpoint: "http://127.0.0.1:1/token", clientId, clientSecret, clock: systemClock });
  await expect(nobody()).rejects.toMatchObject({ kind: "unavailable", code: "kafka_token_unavailable" });
});
