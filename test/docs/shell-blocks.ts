/** A block of shell commands in a page, and who has run it. */
export interface ShownBlock {
  readonly page: string;
  readonly commands: readonly string[];
  /**
   * `test`: the file of `by` runs these very commands, or the same with other names. `AWS`, `Docker`: as written they need that, and `by` shows the
   * same on a stand-in; none: nobody has run them. `people`: a long run of what the tests run shortly.
   */
  readonly needs: "test" | "AWS" | "Docker" | "people";
  readonly by: ShownBy | undefined;
}

/** A file of the checkout, and a text in it without which it would show something else. */
interface ShownBy {
  readonly file: string;
  readonly says: string;
}

/** Every block of shell commands in the pages. A new one belongs here, with the truth about who ran it. */
export const SHELL_BLOCKS: readonly ShownBlock[] = [
  { page: "README.md", commands: ["./scripts/demo"], needs: "test", by: { file: "scripts/lib/test-demos.ts", says: "scripts/demo" } },
  { page: "README.md", commands: ["./scripts/test"], needs: "test", by: { file: ".ci/run", says: "scripts/test" } },
  {
    page: "README.md",
    commands: ["sudo ./scripts/imdsgate run --bind name:fluentd=fluentd-role --bind name:php=php-role"],
    needs: "AWS",
    by: { file: "test/docker/split-of-roles.ts", says: "name:fluentd=fluentd-role" },
  },
  {
    page: "README.md",
    commands: [
      "docker run --rm --name php amazon/aws-cli sts get-caller-identity",
      "docker run --rm amazon/aws-cli sts get-caller-identity",
    ],
    needs: "AWS",
    by: { file: "test/docker/split-of-roles.ts", says: '"sts", "get-caller-identity"' },
  },
  {
    page: "README.md",
    commands: ["sudo ./scripts/imdsgate rules remove"],
    needs: "test",
    by: { file: "test/kernel/rules-command.test.ts", says: 'rules("remove")' },
  },
  {
    page: "docs/install.md",
    commands: ["sudo ./scripts/fresh-debian"],
    needs: "people",
    by: { file: "scripts/lib/test-demos.ts", says: "scripts/demo" },
  },
  {
    page: "docs/install.md",
    commands: ["npm run build:npm", "npm pack ./dist/npm", "sudo npm install --global ./imdsgate-0.1.0.tgz"],
    needs: "test",
    by: { file: "test/packages/npm.test.ts", says: '"scripts/build.ts"), "npm"' },
  },
  {
    page: "docs/install.md",
    commands: ["npm run build:image", "docker build dist/image --tag imdsgate"],
    needs: "test",
    by: { file: "test/support/docker-host/own-image.ts", says: '"scripts/build.ts"), "image"' },
  },
  {
    page: "docs/install.md",
    commands: [
      "docker run --detach --name imdsgate --restart always --network host --cgroupns host --cap-drop ALL --cap-add NET_ADMIN --security-opt no-new-privileges --read-only --tmpfs /run --volume /proc:/host/proc:ro --volume /var/run/docker.sock:/var/run/docker.sock:ro imdsgate run --proc-root /host/proc --bind name:fluentd=fluentd-role --bind name:php=php-role",
    ],
    needs: "AWS",
    by: { file: "test/docker/gateway-in-container.test.ts", says: '"--cap-add", "NET_ADMIN"' },
  },
  {
    page: "docs/install.md",
    commands: [
      "docker run --rm --network host --cgroupns host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --read-only --tmpfs /run imdsgate rules remove",
    ],
    needs: "test",
    by: { file: "test/docker/gateway-in-container.test.ts", says: '"imdsgate", "rules", "remove"' },
  },
  {
    page: "docs/install.md",
    commands: ["npm run package:deb", "npm run package:rpm"],
    needs: "test",
    by: { file: "scripts/test", says: 'scripts/package" deb rpm' },
  },
  {
    page: "docs/install.md",
    commands: [
      "sudo apt-get install ./dist/packages/imdsgate_0.1.0-1_amd64.deb",
      "sudoedit /etc/imdsgate/imdsgate.yaml",
      "sudo systemctl enable --now imdsgate-rules imdsgate",
      "sudo imdsgate doctor",
    ],
    needs: "test",
    by: { file: "test/packages/debian-stage.ts", says: "systemctl enable --now imdsgate-rules imdsgate" },
  },
  {
    page: "docs/install.md",
    commands: ["sudo ./scripts/vm"],
    needs: "people",
    by: { file: "test/packages/upgrades.test.ts", says: "takes its place under load" },
  },
  {
    page: "docs/install.md",
    commands: ["sudo systemctl restart imdsgate", "sudo systemctl stop imdsgate.socket"],
    needs: "test",
    by: { file: "test/packages/package.test.ts", says: "systemctl stop imdsgate.socket" },
  },
  {
    page: "docs/dev.md",
    commands: ["imdsgate dev --bind name:web=web-role"],
    needs: "test",
    by: { file: "test/docker/dev.test.ts", says: '"name:web=web-role"' },
  },
  {
    page: "docs/dev.md",
    commands: ["AWS_PROFILE=me imdsgate dev --aws --bind name:web=arn:aws:iam::111122223333:role/web"],
    needs: "AWS",
    by: { file: "test/moto/dev.test.ts", says: 'AWS_PROFILE: "me"' },
  },
  {
    page: "docs/dev.md",
    commands: ["imdsgate dev --workload all=127.0.0.1 --default-role web-role"],
    needs: "test",
    by: { file: "test/commands/dev.test.ts", says: '"--default-role", "web-role"' },
  },
  {
    page: "docs/dev.md",
    commands: ["AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:18169 aws configure list"],
    needs: "test",
    by: { file: "test/moto/dev.test.ts", says: "AWS_EC2_METADATA_SERVICE_ENDPOINT: imds" },
  },
  {
    page: "docs/dev.md",
    commands: ["vagrant up", "vagrant ssh --command story"],
    needs: "people",
    by: { file: "test/packages/vagrant.test.ts", says: "scripts/vagrant-provision" },
  },
  {
    page: "docs/localstack.md",
    commands: [
      "npm run build:image && docker build dist/image --tag imdsgate",
      "docker compose --file packaging/compose.localstack.yaml up --detach",
      "docker compose --file packaging/compose.localstack.yaml exec php aws sts get-caller-identity",
    ],
    needs: "Docker",
    by: { file: "test/docker/shop.ts", says: "packaging/compose.localstack.yaml" },
  },
  {
    page: "docs/localstack.md",
    commands: [
      "sudo ./scripts/imdsgate dev --sts-endpoint http://127.0.0.1:4566 --bind name:web=web-role",
      "docker run --rm --name web amazon/aws-cli configure list",
    ],
    needs: "Docker",
    by: { file: "test/docker/dev.test.ts", says: "amazon/aws-cli configure list" },
  },
  {
    page: "docs/fleet.md",
    commands: ["node bench/fleet.ts --write"],
    needs: "test",
    by: { file: "test/fleet/simulation.test.ts", says: "renderFleet(" },
  },
  {
    page: "docs/fleet.md",
    commands: [
      "aws cloudformation deploy --template-file packaging/fleet/cloudformation.yaml --stack-name imdsgate-roles --capabilities CAPABILITY_NAMED_IAM",
    ],
    needs: "AWS",
    by: { file: "test/fleet/files.test.ts", says: "cfn-lint" },
  },
  {
    page: "docs/fleet.md",
    commands: ['docker image pull "$IMDSGATE_IMAGE"', "docker stack deploy --compose-file packaging/fleet/swarm.yaml imdsgate"],
    needs: "Docker",
    by: { file: "test/docker/swarm-stack.test.ts", says: '"stack", "deploy"' },
  },
  {
    page: "docs/fleet.md",
    commands: [
      "aws ecs register-task-definition --cli-input-json file://packaging/fleet/ecs-task-definition.json",
      "aws ecs create-service --cli-input-json file://packaging/fleet/ecs-service.json",
    ],
    needs: "AWS",
    by: { file: "test/fleet/files.test.ts", says: "RegisterTaskDefinition" },
  },
  {
    page: "docs/policy.md",
    commands: ["sudo ./scripts/imdsgate run --bind name:fluentd=fluentd-role"],
    needs: "AWS",
    by: { file: "test/docker/split-of-roles.ts", says: "name:fluentd=fluentd-role" },
  },
  {
    page: "docs/policy.md",
    commands: [
      "sudo ./scripts/imdsgate doctor",
      "docker exec php curl --silent http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    ],
    needs: "Docker",
    by: { file: "test/docker/split-of-roles.ts", says: "security-credentials" },
  },
  {
    page: "docs/security-testing.md",
    commands: ["sudo nsenter --net=/proc/PID/ns/net imdsgate selftest --host-role HOST-ROLE --own-role WEB-ROLE"],
    needs: "Docker",
    by: { file: "test/selftest/command.test.ts", says: "selftest" },
  },
  {
    page: "docs/reliability.md",
    commands: ["npm run churn -- --minutes 31 --containers 1300 --pause 12"],
    needs: "people",
    by: { file: "test/docker/churn.test.ts", says: "runChurn(" },
  },
  {
    page: "docs/security-testing.md",
    commands: ["npm run fuzz -- --minutes 20 --seed 101"],
    needs: "people",
    by: { file: "test/fuzz/fuzz.test.ts", says: "runFuzz(" },
  },
  {
    page: "docs/security-testing.md",
    commands: ["npm run breakages"],
    needs: "people",
    by: { file: "test/breakages/breakages.test.ts", says: "BREAKAGES" },
  },
  {
    page: "docs/troubleshooting.md",
    commands: ["sudo ./scripts/imdsgate doctor", "sudo ./scripts/imdsgate rules check --all"],
    needs: "test",
    by: { file: "test/kernel/doctor.test.ts", says: '"doctor"' },
  },
  {
    page: "docs/troubleshooting.md",
    commands: [
      `docker exec php sh -c 'T=$(curl -s -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token); curl -i -H "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/meta-data/iam/security-credentials/'`,
    ],
    needs: "test",
    by: { file: "test/docs/troubleshooting.test.ts", says: "docker exec php sh -c" },
  },
];
