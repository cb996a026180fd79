// Access for a server with authentication: keys, tokens and certificates become principals, scopes and rates decide, the audit log remembers.
import { Counter, type Registry } from "prom-client";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { AuditEntry, AuditLog } from "./audit-log.ts";
import type { CertificateClients } from "./certificates.ts";
import { badCredentials, bearerTokenOf, noCredentials } from "./credentials.ts";
import type { TokenVerifier } from "./jwt.ts";
import type { KeyRing } from "./key-ring.ts";
import {
  type Access,
  type Credentials,
  type Need,
  type Operation,
  type Principal,
  type RateLimits,
  meets,
} from "./port.ts";
import { RateLimiter } from "./rate-limits.ts";
import type { TrustedProxies } from "./trusted-proxies.ts";

/** Refusals that are written to the audit log: whoever is refused must not be able to push out what others did. */
const deniedPerSecond = 10;
const deniedBurst = 100;

export interface CheckedAccessOptions {
  readonly keys: KeyRing;
  readonly tokens?: TokenVerifier | undefined;
  /** Of the file as it is now. */
  readonly certificates?: (() => CertificateClients) | undefined;
  readonly limits: RateLimits;
  /** Missing: none; requests come from the peer of their connection. */
  readonly proxies?: TrustedProxies | undefined;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly metrics?: Registry | undefined;
  /** Told when something cannot be recorded. */
  readonly notice: (error: unknown) => void;
}

/** Who asks for what nobody needs to be known for. */
const unknownPrincipal: Principal = Object.freeze({
  kind: "anonymous",
  id: "anonymous",
  name: "anonymous",
  grants: Object.freeze({ admin: false, observe: false, read: new Set<string>(), produce: new Set<string>() }),
});

export class CheckedAccess implements Access {
  readonly required = true;
  readonly limiter: RateLimiter;
  readonly #options: CheckedAccessOptions;
  readonly #outcomes: Counter<"by" | "outcome"> | undefined;
  #deniedRoom = deniedBurst;
  #deniedMs: number;
  #suppressed = 0;

  constructor(options: CheckedAccessOptions) {
    this.#options = options;
    this.limiter = new RateLimiter(options.limits, options.clock);
    this.#deniedMs = options.clock.monotonicMs();
    this.#outcomes =
      options.metrics &&
      new Counter({
        name: "rdg_access_requests_total",
        help: "Requests by what they were authenticated with and what became of them.",
        labelNames: ["by", "outcome"] as const,
        registers: [options.metrics],
      });
  }

  enter(credentials: Credentials, need: Need, operation: Operation): Principal | Promise<Principal> {
    if (need.scope === "open") return unknownPrincipal;
    const refused = (error: unknown): unknown => this.#refused(error, undefined, credentials, need, operation);
    let principal: Principal | Promise<Principal>;
    try {
      principal = this.#authenticate(credentials);
    } catch (error) {
      throw refused(error);
    }
    if (!(principal instanceof Promise)) return this.#admit(principal, credentials, need, operation);
    return principal.then(
      (known) => this.#admit(known, credentials, need, operation),
      (error: unknown) => {
        throw refused(error);
      },
    );
  }

  charge(principal: Principal, scannedEdges: number): void {
    this.limiter.charge(principal, scannedEdges);
  }

  ended(
    who: Principal,
    { name, target, requestId }: Operation,
    { status }: { readonly status: number | string },
  ): void {
    void this.#record({ event: "admin.ended", who, operation: name, target, requestId, status });
  }

  #authenticate(credentials: Credentials): Principal | Promise<Principal> {
    const { keys, tokens, certificates } = this.#options;
    const token = bearerTokenOf(credentials.authorization);
    if (token !== undefined) {
      if (token.startsWith("rdg_")) return keys.authenticate(token);
      if (tokens !== undefined) return tokens.authenticate(token);
      throw badCredentials("The token is no key of RDG, and this server takes no others.");
    }
    const found = credentials.certificate && certificates?.().find(credentials.certificate);
    if (found === undefined) throw noCredentials();
    return found;
  }

  /** Throws, or with `admin` rejects. */
  #admit(
    principal: Principal,
    credentials: Credentials,
    need: Need,
    operation: Operation,
  ): Principal | Promise<Principal> {
    try {
      if (!meets(principal.grants, need)) throw scopeMissing(need);
      this.limiter.admit(principal);
    } catch (error) {
      throw this.#refused(error, principal, credentials, need, operation);
    }
    this.#outcomes?.inc({ by: principal.kind, outcome: "entered" });
    if (need.scope !== "admin") return principal;
    const { name, target, requestId } = operation;
    const address = this.#addressOf(credentials);
    const begun = { event: "admin.begun", who: principal, address, operation: name, target, requestId } as const;
    return this.#options.audit.record(entryOf(begun)).then(() => principal);
  }

  #refused(
    error: unknown,
    who: Principal | undefined,
    credentials: Credentials,
    need: Need,
    { name, target, requestId }: Operation,
  ): unknown {
    const code = error instanceof RdgError ? error.code : "internal";
    this.#outcomes?.inc({ by: who?.kind ?? "unknown", outcome: code });
    const isDenied = error instanceof RdgError && error.kind === "unauthorized" && need.scope === "admin";
    if (isDenied && this.#mayRecordDenied()) {
      const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed;
      this.#suppressed = 0;
      void this.#record({
        event: "admin.denied",
        who,
        address: this.#addressOf(credentials),
        operation: name,
        target,
        requestId,
        status: code,
        suppressed,
      });
    }
    return error;
  }

  #addressOf({ address, forwardedFor = [] }: Credentials): string | undefined {
    const { proxies } = this.#options;
    return proxies === undefined ? address : proxies.clientOf(address, forwardedFor);
  }

  #mayRecordDenied(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const refilled = this.#deniedRoom + ((nowMs - this.#deniedMs) / 1_000) * deniedPerSecond;
    this.#deniedMs = nowMs;
    this.#deniedRoom = Math.min(deniedBurst, refilled);
    if (this.#deniedRoom < 1) {
      this.#suppressed++;
      return false;
    }
    this.#deniedRoom--;
    return true;
  }

  async #record(entry: AuditEntry): Promise<void> {
    await this.#options.audit.record(entryOf(entry)).catch(this.#options.notice);
  }
}

function entryOf({ who, ...rest }: AuditEntry): AuditEntry {
  return { who: who && { id: who.id, name: who.name }, ...rest };
}

function scopeMissing(need: Need): RdgError {
  const scope = wordOf(need);
  return new RdgError(
    "unauthorized",
    "scope_missing",
    `This needs the scope "${scope}", which the caller does not have.`,
    {
      hint: `Ask with a key that has it: \`rdg keys create <name> --scope ${scope}\`.`,
    },
  );
}

function wordOf(need: Need): string {
  if (need.scope === "read" && need.type !== undefined) return `read:${need.type.slice(0, 200)}`;
  if (need.scope === "produce" && need.name !== undefined) return `produce:${need.name.slice(0, 200)}`;
  return need.scope;
}
