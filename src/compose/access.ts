// Who may ask this server, put together from the settings: keys of the data folder, tokens of an issuer, certificates; TLS; the audit log.
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Registry } from "prom-client";
import type { Clock, Timers } from "../core/clock.ts";
import { RdgError, describeError } from "../core/errors.ts";
import type { Graph } from "../index.ts";
import type { GraphModel } from "../model/definition.ts";
import type { QueueFill } from "../observe/metrics.ts";
import { CheckedAccess } from "../serve/auth/access.ts";
import { AuditLog } from "../serve/auth/audit-log.ts";
import { CertificateClients } from "../serve/auth/certificates.ts";
import { Jwks } from "../serve/auth/jwks.ts";
import { TokenVerifier } from "../serve/auth/jwt.ts";
import { KeyFolder } from "../serve/auth/key-folder.ts";
import { KeyRing } from "../serve/auth/key-ring.ts";
import { openAccess } from "../serve/auth/open-access.ts";
import type { Access } from "../serve/auth/port.ts";
import { bucketsMax } from "../serve/auth/rate-limits.ts";
import { Tls } from "../serve/auth/tls.ts";
import { TrustedProxies } from "../serve/auth/trusted-proxies.ts";
import { WatchedFiles } from "../serve/auth/watched-files.ts";
import { isLoopback } from "../serve/guards.ts";
import type { Logger } from "./logger.ts";
import type { EmbeddedSettings } from "./settings.ts";

export interface AccessOptions {
  readonly settings: EmbeddedSettings;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly metrics: Registry;
}

export interface OpenedAccess {
  readonly access: Access;
  readonly tls: Tls | undefined;
  readonly audit: AuditLog;
  /** What of it is bounded. */
  queues(): QueueFill[];
  /** Reads keys, certificates and what else is in files anew, now. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** @throws RdgError invalid when settings contradict each other, or a file of theirs is not usable */
export async function openServerAccess(options: AccessOptions): Promise<OpenedAccess> {
  const { settings, clock, logger } = options;
  checkSettings(settings);
  const opened: Reloadable[] = [];
  const audit = auditLogOf(settings, clock);
  const close = async (): Promise<void> => {
    for (const each of opened) each.close();
    await audit.close();
  };
  const reload = async (): Promise<void> => {
    await Promise.all(opened.map((each) => each.look()));
    logger.info("keys and certificates were looked at");
  };
  try {
    const proxies = proxiesOf(settings);
    const tls = await openTls(options, opened);
    if (!(await isRequired(settings))) {
      return { access: openAccess, tls, audit, queues: () => [], reload, close };
    }
    const keys = await openKeys(options, opened);
    const tokens = await openTokens(options, opened);
    const certificates = await openCertificates(options, opened);
    if (keys.size === 0 && tokens === undefined && certificates === undefined) {
      logger.warn("nobody can ask this server yet: make a key with `rdg keys create`; it is taken without a restart");
    }
    const limits = {
      requestsPerSecond: settings["rate.requests"] || undefined,
      scannedPerSecond: settings["rate.scanned"] || undefined,
    };
    const notice = (error: unknown): void => logger.error(describeError(error));
    const parts = { keys, tokens, certificates, limits, proxies, audit, clock, metrics: options.metrics, notice };
    const access = new CheckedAccess(parts);
    return { access, tls, audit, queues: () => queuesOf(access, tokens, audit), reload, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is kept equal to files, or to an issuer. */
interface Reloadable {
  look(): Promise<void>;
  close(): void;
}

function proxiesOf(settings: EmbeddedSettings): TrustedProxies | undefined {
  const named = settings["serve.trustProxy"].split(",").flatMap((each) => each.trim() || []);
  return named.length === 0 ? undefined : new TrustedProxies(named);
}

/** Also for commands that change keys. */
export function auditLogOf(settings: EmbeddedSettings, clock: Clock): AuditLog {
  const { data, "audit.size": fileBytesMax, "audit.files": filesMax } = settings;
  return new AuditLog({ data, clock, fileBytesMax, filesMax });
}

/** Records that another definition runs from now on. */
export async function recordDeployment(audit: AuditLog, data: string, { model, fingerprint }: Graph): Promise<void> {
  const path = join(data, "audit", "deployed.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw error;
  });
  const before = fingerprintIn(text);
  if (before === fingerprint) return;
  await audit.record({
    event: "definition.deployed",
    who: undefined,
    operation: "rdg dev",
    target: model.name,
    details: { fingerprint, ...(before === undefined ? {} : { before }) },
  });
  await writeFile(`${path}.tmp`, JSON.stringify({ format: "rdg-deployed", version: 1, fingerprint }), { flush: true });
  await rename(`${path}.tmp`, path);
}

/** Of a damaged file nothing is known: the deployment is then recorded once more. */
function fingerprintIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { readonly fingerprint?: string }).fingerprint;
  } catch {
    return undefined;
  }
}

async function isRequired(settings: EmbeddedSettings): Promise<boolean> {
  switch (settings["auth.mode"]) {
    case "on":
      return true;
    case "off":
      return false;
    default: {
      // Whoever has made a key counts on its being asked for, also after the last one was revoked.
      const hasKeys = await new KeyFolder(settings.data).exists();
      return hasKeys || settings["auth.jwks"] !== "" || settings["tls.clients"] !== "";
    }
  }
}

function checkSettings(settings: EmbeddedSettings): void {
  const has = (
    name:
      | "auth.jwks"
      | "auth.issuer"
      | "auth.audience"
      | "tls.cert"
      | "tls.key"
      | "tls.clientCa"
      | "tls.clients"
      | "tls.crl",
  ): boolean => settings[name] !== "";
  if (!["auto", "on", "off"].includes(settings["auth.mode"])) throw bad("auth.mode", "is neither auto, on nor off", "");
  if (settings["auth.mode"] === "off" && (has("auth.jwks") || has("tls.clients"))) {
    throw bad("auth.mode", "is off although auth.jwks or tls.clients says who may ask", "Leave it, or leave them.");
  }
  if (has("auth.jwks") && !(has("auth.issuer") && has("auth.audience"))) {
    const why = "Without both, tokens that were issued for somebody else would be valid here.";
    throw bad("auth.jwks", "needs auth.issuer and auth.audience", why);
  }
  if (has("tls.cert") !== has("tls.key")) throw bad("tls.cert", "and tls.key belong together", "Set both.");
  if (has("tls.cert") && settings["tls.off"])
    throw bad("tls.off", "is set although there is a certificate", "Set one.");
  if (has("tls.clientCa") && !has("tls.cert"))
    throw bad("tls.clientCa", "needs tls.cert and tls.key", "Set them, too.");
  if (has("tls.crl") && !has("tls.clientCa")) throw bad("tls.crl", "needs tls.clientCa", "Name who signs them.");
  if ((has("tls.clients") || settings["tls.requireClientCert"]) && !has("tls.clientCa")) {
    throw bad(
      "tls.clients",
      "and tls.requireClientCert need tls.clientCa",
      "Name who signs the clients' certificates.",
    );
  }
}

function bad(setting: string, what: string, hint: string): RdgError {
  return new RdgError("invalid", "bad_setting", `Setting "${setting}" ${what}.`, { place: setting, hint });
}

async function openTls({ settings, timers, logger }: AccessOptions, opened: Reloadable[]): Promise<Tls | undefined> {
  if (settings["tls.cert"] === "") {
    if (settings["tls.off"] && !isLoopback(settings.host)) {
      logger.warn(
        `keys, events and answers travel unencrypted to ${settings.host}: whoever can read along has them (tls.off)`,
      );
    }
    return undefined;
  }
  const tls = new Tls({
    cert: settings["tls.cert"],
    key: settings["tls.key"],
    clientCa: settings["tls.clientCa"] || undefined,
    crl: settings["tls.crl"] || undefined,
    requireClientCert: settings["tls.requireClientCert"],
    timers,
    notice: (error) => logger.error(`the certificate in use stays: ${describeError(error)}`),
  });
  await tls.open();
  tls.onChange(() => logger.info("the certificate was read anew"));
  opened.push(tls);
  return tls;
}

async function openKeys(
  { settings, model, clock, timers, logger }: AccessOptions,
  opened: Reloadable[],
): Promise<KeyRing> {
  const notice = (error: unknown): void => logger.error(describeError(error));
  const keys = new KeyRing({ folder: new KeyFolder(settings.data), clock, timers, notice });
  await keys.open();
  opened.push(keys);
  const named = [...model.nodes, ...model.edges, ...model.events, ...model.sideInputs].map(({ name }) => name);
  for (const { key } of keys.all()) {
    const unknown = key.scopes.filter((scope) => scope.includes(":") && !named.includes(scope.split(":")[1]!));
    if (unknown.length > 0)
      logger.warn({ key: key.id, scopes: unknown }, "scopes of a key name what is not in the definition");
  }
  return keys;
}

async function openTokens(
  { settings, clock, timers, logger }: AccessOptions,
  opened: Reloadable[],
): Promise<TokenVerifier | undefined> {
  if (settings["auth.jwks"] === "") return undefined;
  const jwks = new Jwks({
    location: settings["auth.jwks"],
    clock,
    timers,
    notice(error) {
      if (error === undefined) logger.info("the JWKS answers again");
      else logger.warn(describeError(error));
    },
  });
  await jwks.open();
  opened.push(jwks);
  const { "auth.issuer": issuer, "auth.audience": audience, "auth.skew": skewMs } = settings;
  return new TokenVerifier({ jwks, issuer, audience, clock, skewMs });
}

async function openCertificates(
  { settings, timers, logger }: AccessOptions,
  opened: Reloadable[],
): Promise<(() => CertificateClients) | undefined> {
  const path = settings["tls.clients"];
  if (path === "") return undefined;
  let clients = new CertificateClients([], path);
  const files = new WatchedFiles({
    paths: [path],
    timers,
    load: async () => {
      clients = await CertificateClients.read(path);
    },
    notice: (error) => logger.error(`the clients known before stay: ${describeError(error)}`),
  });
  await files.open();
  opened.push(files);
  return () => clients;
}

function queuesOf(access: CheckedAccess, tokens: TokenVerifier | undefined, audit: AuditLog): QueueFill[] {
  return [
    { queue: "rate_limits", unit: "callers", fill: access.limiter.size, max: bucketsMax },
    { queue: "audit", unit: "records", fill: audit.waiting, max: audit.waitingMax },
    ...(tokens === undefined
      ? []
      : ([
          { queue: "tokens_remembered", unit: "tokens", fill: tokens.remembered, max: tokens.rememberedMax },
          { queue: "tokens_verifying", unit: "tokens", fill: tokens.verifying, max: tokens.verifyingMax },
        ] as const)),
  ];
}
