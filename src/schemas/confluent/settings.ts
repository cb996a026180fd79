// What the client of an external registry is told: where it is, who asks, and its bounds, every one with a default.

export interface ConfluentTls {
  /** PEM; without it the certificates that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** Of the certificate; without it the host that is connected to. */
  readonly serverName?: string;
}

export type ConfluentAuth =
  | { readonly username: string; readonly password: string }
  /** Asked for again before every request. */
  | { readonly token: string | (() => string | Promise<string>) };

export interface ConfluentConnection {
  /** Of the registry's REST API, for example `https://registry.example:8081`. Several of one registry are tried in turn. A user and password may stand in them. */
  readonly urls: readonly string[];
  readonly auth?: ConfluentAuth;
  readonly tls?: ConfluentTls;
}

export interface ConfluentSettings {
  /** One attempt, from the connection to the last byte. */
  readonly timeoutMs: number;
  /** How long a failed call is repeated, with back-off, before it rejects with `unavailable`. */
  readonly retryForMs: number;
  /** Characters of schemas that are kept. */
  readonly cacheCharactersMax: number;
  /** How long an id that the registry did not know is not asked for again. */
  readonly unknownForMs: number;
  /** Connections, and so requests at once; more wait. */
  readonly connectionsMax: number;
}

export const confluentDefaults: ConfluentSettings = {
  timeoutMs: 10_000,
  retryForMs: 20_000,
  cacheCharactersMax: 32_000_000,
  unknownForMs: 5_000,
  connectionsMax: 8,
};
