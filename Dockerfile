# One image for every role; the command chooses which. Debian, since Temporal's native core needs glibc.
FROM node:20.20-bookworm-slim AS base
WORKDIR /app

FROM base AS build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit
COPY tsconfig.json tsconfig.build.json tsconfig.client.json ./
COPY infra infra
COPY src src
COPY mock-provider mock-provider
RUN npm run build

FROM base AS packages
COPY package.json package-lock.json .npmrc ./
# Not --omit=optional: the binaries of the Temporal worker's own compiler are optional packages.
RUN npm ci --omit=dev --no-audit && npm cache clean --force

FROM base AS production
ENV NODE_ENV=production
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY temporal-config temporal-config
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEALTH_PORT || process.env.PORT || 3000}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/start/api.js"]
