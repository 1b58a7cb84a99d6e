# The client for qmail's hosts: it runs there, not in this container, under limits that a dynamic program may not survive.
# Copy it out of the image (docs/install.md); the compiler stays behind in this stage.
FROM node:24-bookworm-slim AS client
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools
WORKDIR /build
COPY package.json ./
COPY bin/build-native.mjs bin/
COPY native native
RUN node bin/build-native.mjs

FROM node:24-bookworm-slim

WORKDIR /opt/postern
COPY package.json package-lock.json .npmrc ./
# The image brings Node 24 itself; the optional packages are Node 24 for machines that have another.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY . .
COPY --from=client /build/native/postern-queue native/postern-queue

RUN useradd --system --home-dir /var/lib/postern --shell /usr/sbin/nologin postern \
 && install -d -o postern -g postern -m 0750 /var/lib/postern \
 && install -d -m 0755 /etc/postern
ENV NODE_ENV=production
USER postern

# Container engines let an ordinary user bind port 25. `listen` in /etc/postern has to say 0.0.0.0:25.
EXPOSE 25
VOLUME ["/etc/postern", "/var/lib/postern"]
# SIGTERM drains for up to `draintime`, 30 seconds by default: docker stop --time 60.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["node", "bin/healthcheck.mjs"]

ENTRYPOINT ["/opt/postern/bin/postern"]
CMD ["serve", "--control", "/etc/postern", "--state", "/var/lib/postern"]
