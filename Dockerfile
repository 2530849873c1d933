# The server, with what it needs to run and nothing else. docs/deployment.md tells how it is run. No step needs the network
# but npm ci; test/postgres/container.test.ts does the same steps in a folder.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional
# The Prisma client is made by development dependencies, which the image does not have.
COPY prisma.config.ts ./
COPY prisma ./prisma
RUN node prisma/generate.ts
# Prisma's command line is an optional peer of its client as well. Of what is left, 60 MB are query compilers for other databases,
# and 35 MB are for debuggers and type checkers.
RUN npm prune --ignore-scripts --omit=dev --omit=optional \
  && find node_modules/@prisma/client/runtime -name 'query_compiler_*' ! -name '*_fast_bg.postgresql.*mjs' -delete \
  && find node_modules -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' ')' -delete

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data DRAIN_SECONDS=5
RUN install -d -o 1000 -g 1000 -m 700 /data
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY prisma/migrations ./prisma/migrations
COPY templates ./templates
COPY src ./src
COPY --from=build /app/src/generated ./src/generated
# The base image's user "node", as a number, so that an orchestrator can see that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8000}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
