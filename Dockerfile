# syntax=docker/dockerfile:1
# RDG without a definition: mount the folder of yours as /graph. Does not run as root, and its root file system may be read-only: it writes to /data alone.
#
#   docker build -t rdg .
#   docker run --read-only --tmpfs /tmp -v "$PWD:/graph:ro" -v rdg:/data -p 127.0.0.1:7400:7400 -e RDG_TLS_OFF=true rdg

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
COPY tools tools
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN node scripts/build.ts

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY tools tools
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && rm -r tools node_modules/@rdg

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="rdg" \
      org.opencontainers.image.description="Real-time distributed graph: events in, a typed property graph out" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN mkdir /data && chown 1000:1000 /data
WORKDIR /app
COPY --from=dependencies /app ./
COPY --from=build /src/dist dist
COPY LICENSE ./
ENV NODE_ENV=production \
    RDG_DATA=/data \
    RDG_HOST=0.0.0.0
USER 1000:1000
VOLUME /data
EXPOSE 7400 7401
# Node is what there is to ask with. RDG_HEALTH_URL: for those who serve TLS, with NODE_EXTRA_CA_CERTS.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.RDG_HEALTH_URL ?? 'http://127.0.0.1:7400/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["dev", "/graph/graph.ts"]
