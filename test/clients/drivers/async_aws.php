<?php
// A driver (loop.sh tells what it is asked): AsyncAws, the other PHP client, with its default chain. Composer, which has the AWS SDK for PHP, is out of reach.
require 'AsyncAws/Core/autoload.php';

use AsyncAws\Core\Configuration;
use AsyncAws\Core\Credentials\ChainProvider;
use AsyncAws\Core\Sts\StsClient;

function tell(array $line): void
{
    echo json_encode($line, JSON_UNESCAPED_SLASHES), "\n";
}

[, $command, $count, $gap] = $argv + ['', '', 0, 0];
if ($command === 'version') {
    echo trim(shell_exec("dpkg-query --show --showformat '\${Version}' php-async-aws-core")), "\n";
}
if ($command === 'use') {
    $settings = Configuration::create(['endpoint' => getenv('AWS_ENDPOINT_URL_STS'), 'region' => getenv('AWS_REGION')]);
    $chain = ChainProvider::createDefaultChain();
    $sts = new StsClient($settings, $chain);
    for ($number = 0; $number < $count; ++$number) {
        if ($number > 0) {
            usleep((int) ($gap * 1e6));
        }
        try {
            tell(['arn' => $sts->getCallerIdentity()->getArn(), 'key' => $chain->getCredentials($settings)->getAccessKeyId()]);
        } catch (Throwable $error) {
            tell(['error' => $error->getMessage()]);
        }
    }
}
if ($command === 'time') {
    for ($number = 0; $number < $count; ++$number) {
        $began = hrtime(true);
        ChainProvider::createDefaultChain()->getCredentials(Configuration::create([]));
        tell(['ms' => (hrtime(true) - $began) / 1e6]);
    }
}
