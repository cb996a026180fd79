// Access for a server without authentication, which listens on loopback only: everybody may everything.
import type { Access, Principal } from "./port.ts";

const anonymous: Principal = Object.freeze({
  kind: "anonymous",
  id: "anonymous",
  name: "anonymous",
  grants: Object.freeze({ admin: true, observe: true, read: "all", produce: "all" }),
});

export const openAccess: Access = {
  required: false,
  enter: () => anonymous,
  charge: () => undefined,
  ended: () => undefined,
};
