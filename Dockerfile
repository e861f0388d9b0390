# One build for all programs, and a small image for each. docker-compose.yml passes the program:
#   docker build --build-arg PROGRAM=order .

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /shop
COPY . .
# The caches outlive the build, so that a small change rebuilds few crates. The build needs no database: sqlx checks the queries against
# the committed metadata in the .sqlx folders.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/shop/target \
    SQLX_OFFLINE=true cargo build --release --locked \
        --bin product-catalog --bin order --bin inventory \
        --bin search-sync --bin behavior-analytics --bin console \
    && mkdir /programs \
    && cd target/release \
    && cp product-catalog order inventory search-sync behavior-analytics console /programs/

FROM debian:12.12-slim
ARG PROGRAM
# Each program has two worker threads: more arenas waste memory. Fixed thresholds: the allocator would raise both with the largest freed
# block and keep the memory of one import for good.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=262144 MALLOC_MMAP_THRESHOLD_=524288
# The folders of persistent data belong to the user that runs the program; new volumes inherit the owner.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin shop \
    && install -d -o shop -g shop /var/lib/shop /var/lib/shop/keys /var/lib/shop/index \
        /var/lib/shop/secrets /var/lib/shop/broker /var/lib/shop/database /var/lib/shop/authority /var/lib/shop/postgres-tls \
    && cd /var/lib/shop/secrets && install -d -o shop -g shop console console-migrate operator \
    && for service in product-catalog order inventory search-sync behavior-analytics; do \
        install -d -o shop -g shop "$service" "$service-migrate"; done
COPY --from=build /programs/${PROGRAM} /usr/local/bin/program
COPY deploy/token deploy/staff /usr/local/bin/
USER shop
ENTRYPOINT ["/usr/local/bin/program"]
CMD ["serve"]
