// Who may ask what: the contract between the protocols (HTTP, gRPC), which bring credentials, and what decides on them.
//
// Per request, in this order: `enter` before anything of the body is read; `mayRead` and `mayProduce` for the names that only the body tells; `charge` once
// the answer is known. A protocol that forgets the first serves nobody: the principal, which the other calls need, comes from there only.
//
// Rejections of `enter` and `authorize` are `RdgError`s: kind `unauthorized` with the codes `no_credentials` and `bad_credentials` (HTTP 401, gRPC
// UNAUTHENTICATED), `scope_missing` (HTTP 403, gRPC PERMISSION_DENIED); kind `overloaded`, `rate_limited` (429, RESOURCE_EXHAUSTED, `retryAfterMs`); kind
// `unavailable`, `jwks_unreachable` (503, UNAVAILABLE). Their texts hold nothing of the credentials.

/** What came with a request, as it came. */
export interface Credentials {
  /** Every value of the header or metadata entry `authorization`, in order: two are refused, because it would be open which of them counts. */
  readonly authorization: readonly string[];
  /** The client certificate of the connection, where TLS has verified it against the configured authority. */
  readonly certificate?: ClientCertificate | undefined;
  /** Address of the peer, for the audit log. */
  readonly address?: string | undefined;
  /** Every value of the header or metadata entry `x-forwarded-for`, in order: what proxies say, and anybody else. */
  readonly forwardedFor?: readonly string[];
}

export interface ClientCertificate {
  /** As `X509Certificate.subject` writes it: lines such as `CN=ingest`. */
  readonly subject: string;
  /** As `X509Certificate.subjectAltName` writes it: `DNS:ingest.example.com, URI:spiffe://...`. */
  readonly subjectAltName: string | undefined;
}

/** What a request needs. */
export type Need =
  /** Nothing: no credentials are looked at. For liveness and readiness. */
  | { readonly scope: "open" }
  /** Credentials of whatever scope: for definitions and schemas. */
  | { readonly scope: "any" }
  /** To read elements: of the type where the request names it outside of its body, else of any one, and `mayRead` decides. */
  | {
      readonly scope: "read";
      readonly type?: string | undefined;
      /** Elements of every type: those who may read single types only may not. */
      readonly all?: true;
    }
  /** To send the event or the rows of the side input; without a name any one, and `mayProduce` decides. */
  | { readonly scope: "produce"; readonly name?: string | undefined }
  /** Status and metrics: `observe`, or `read` without a type. */
  | { readonly scope: "observe" }
  /** All that changes or shows more than the graph does; goes into the audit log. */
  | { readonly scope: "admin" };

/** Who asks, as the credentials say. Immutable. */
export interface Principal {
  readonly kind: "anonymous" | "key" | "jwt" | "certificate";
  /** Stable and unique among all: `key:4f0c...`, `jwt:<sub>`, `certificate:DNS:...`. Not a secret. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly grants: Grants;
  /** Instead of the server's settings. */
  readonly limits?: RateLimits | undefined;
}

export interface Grants {
  readonly admin: boolean;
  readonly observe: boolean;
  /** Names of node and edge types; events and side inputs. */
  readonly read: "all" | ReadonlySet<string>;
  readonly produce: "all" | ReadonlySet<string>;
}

/** Per principal and second; undefined: no limit. */
export interface RateLimits {
  readonly requestsPerSecond?: number | undefined;
  /** Edges that traversals scan. */
  readonly scannedPerSecond?: number | undefined;
}

/** Where a request goes, for the audit log: `POST /v1/store/verify`, `/rdg.v1.Graph/Produce`. Nothing of bodies or headers. */
export interface Operation {
  readonly name: string;
  /** The path as asked, or what else names the target. */
  readonly target?: string | undefined;
  readonly requestId?: string | undefined;
}

export interface Access {
  /** False: everybody may everything (loopback only); credentials are not looked at, and `enter` answers at once, always the same. */
  readonly required: boolean;
  /**
   * Authenticates, authorizes, counts against the request's rate, and records what needs `admin` before it is done. Answers without a promise wherever it
   * can: always for keys, and for tokens that were verified before.
   */
  enter(credentials: Credentials, need: Need, operation: Operation): Principal | Promise<Principal>;
  /** Takes what a traversal has scanned from the principal's budget; once that is used up, further requests are refused for a while. */
  charge(principal: Principal, scannedEdges: number): void;
  /** Records how an operation ended that needed `admin`. Never rejects. */
  ended(
    principal: Principal,
    operation: Operation,
    outcome: { readonly ok: boolean; readonly status: number | string },
  ): void;
}

/** For `QueryContext.mayRead`; undefined where everything may be read. */
export function mayReadOf({ grants: { read } }: Principal): ((typeName: string) => boolean) | undefined {
  return read === "all" ? undefined : (typeName) => read.has(typeName);
}

/** Whether the principal may send the event, or the rows of the side input. */
export function mayProduce({ grants: { produce } }: Principal, name: string): boolean {
  return produce === "all" || produce.has(name);
}

/** Whether the grants meet the need. */
export function meets(grants: Grants, need: Need): boolean {
  switch (need.scope) {
    case "open":
    case "any":
      return true;
    case "read":
      return need.all === true ? grants.read === "all" : has(grants.read, need.type);
    case "produce":
      return has(grants.produce, need.name);
    case "observe":
      return grants.observe;
    case "admin":
      return grants.admin;
  }
}

function has(granted: "all" | ReadonlySet<string>, name: string | undefined): boolean {
  if (granted === "all") return true;
  return name === undefined ? granted.size > 0 : granted.has(name);
}
