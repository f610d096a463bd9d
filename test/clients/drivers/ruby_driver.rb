# A driver (loop.sh tells what it is asked): the AWS SDK for Ruby v3, Debian's core of it, with its default chain.
require "aws-sdk-core"
require "json"

$stdout.sync = true
command, count, gap = ARGV
case command
when "version"
  puts Aws::CORE_GEM_VERSION
when "use"
  sts = Aws::STS::Client.new(endpoint: ENV.fetch("AWS_ENDPOINT_URL_STS"))
  Integer(count).times do |number|
    sleep Float(gap) if number.positive?
    puts JSON.generate(arn: sts.get_caller_identity.arn, key: sts.config.credentials.credentials.access_key_id)
  rescue StandardError => e
    puts JSON.generate(error: "#{e.class} #{e.message}")
  end
when "time"
  Integer(count).times do
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    Aws::InstanceProfileCredentials.new.credentials
    puts JSON.generate(ms: (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began) * 1000)
  end
end
