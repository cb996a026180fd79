// grpc.health.v1.Health: what load balancers and probes ask. SERVING follows readiness; nobody needs credentials for it.
import { type handleServerStreamingCall, type handleUnaryCall, status } from "@grpc/grpc-js";
import type { Timers } from "../../core/clock.ts";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthListResponse,
} from "../../model/rpc/generated/grpc/health/v1/health.ts";
import type { Admission } from "../guards.ts";
import type { Readiness } from "../operation-routes.ts";
import type { Bytes } from "./calls.ts";
import { readMessage } from "./messages.ts";
import type { Methods, healthMethods } from "./services.ts";
import { statusOf } from "./status.ts";

export interface HealthOptions {
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly timers: Timers;
  /** Beside "", which is all of them. */
  readonly services: readonly string[];
  readonly longCalls: Admission;
  readonly intervalMs: number;
  /** Aborted when the server closes: watchers are told, and let go. */
  readonly closing: AbortSignal;
}

export function healthService(options: HealthOptions): Methods<typeof healthMethods> {
  const { readiness, closing } = options;
  const services = new Set(["", ...options.services]);
  const current = async (): Promise<ServingStatus> => {
    const ready = !closing.aborted && (await readiness()).ready;
    return ready ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  const check: handleUnaryCall<Bytes, Bytes> = (call, respond) => {
    const answer = async (): Promise<Bytes> => {
      const { service } = readMessage(HealthCheckRequest, call.request);
      if (!services.has(service)) {
        throw Object.assign(new Error(`There is no service "${service.slice(0, 100)}".`), { code: status.NOT_FOUND });
      }
      return encoded({ status: await current() });
    };
    answer().then(
      (response) => respond(null, response),
      (error: { code?: number }) => respond(error.code === status.NOT_FOUND ? error : statusOf(error)),
    );
  };
  const list: handleUnaryCall<Bytes, Bytes> = (_call, respond) => {
    current().then(
      (serving) => {
        const statuses = new Map([...services].map((name) => [name, { status: serving }]));
        respond(null, Buffer.from(HealthListResponse.encode({ statuses }).finish()));
      },
      (error: unknown) => respond(statusOf(error)),
    );
  };
  const watch: handleServerStreamingCall<Bytes, Bytes> = (call) => {
    const gone = new AbortController();
    call.once("cancelled", () => gone.abort());
    follow(call, gone.signal).then(
      () => call.end(),
      (error: unknown) => call.emit("error", statusOf(error)),
    );
  };
  const follow = async (call: Parameters<typeof watch>[0], gone: AbortSignal): Promise<void> => {
    const { service } = readMessage(HealthCheckRequest, call.request);
    const leave = options.longCalls.enter();
    const ended = AbortSignal.any([gone, closing]);
    try {
      let told: ServingStatus | undefined;
      while (!gone.aborted) {
        const now = services.has(service) ? await current() : ServingStatus.SERVICE_UNKNOWN;
        if (now !== told) call.write(encoded({ status: now }));
        told = now;
        if (closing.aborted) return;
        await options.timers.sleep(options.intervalMs, ended).catch(() => undefined);
      }
    } finally {
      leave();
    }
  };
  return { Check: check, List: list, Watch: watch };
}

function encoded(response: HealthCheckResponse): Bytes {
  return Buffer.from(HealthCheckResponse.encode(response).finish());
}
