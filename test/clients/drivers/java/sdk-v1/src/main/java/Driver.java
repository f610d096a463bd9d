// A driver (loop.sh tells what it is asked): the AWS SDK for Java v1, with its default chain.
import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.auth.InstanceProfileCredentialsProvider;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;
import com.amazonaws.util.VersionInfoUtils;

public class Driver {
    public static void main(String[] words) throws InterruptedException {
        switch (words[0]) {
            case "version" -> System.out.println(VersionInfoUtils.getVersion());
            case "use" -> use(Integer.parseInt(words[1]), Double.parseDouble(words[2]));
            case "time" -> time(Integer.parseInt(words[1]));
        }
        System.exit(0);
    }

    private static void use(int count, double gapSeconds) throws InterruptedException {
        var chain = new DefaultAWSCredentialsProviderChain();
        var endpoint = new EndpointConfiguration(System.getenv("AWS_ENDPOINT_URL_STS"), System.getenv("AWS_REGION"));
        var sts = AWSSecurityTokenServiceClientBuilder.standard().withCredentials(chain).withEndpointConfiguration(endpoint).build();
        for (int number = 0; number < count; number++) {
            if (number > 0) Thread.sleep((long) (gapSeconds * 1000));
            try {
                var arn = sts.getCallerIdentity(new GetCallerIdentityRequest()).getArn();
                System.out.printf("{\"arn\": \"%s\", \"key\": \"%s\"}%n", arn, chain.getCredentials().getAWSAccessKeyId());
            } catch (RuntimeException error) {
                System.out.printf("{\"error\": \"%s\"}%n", error.toString().replaceAll("[\"\\\\\n]", " "));
            }
        }
    }

    private static void time(int count) {
        for (int number = 0; number < count; number++) {
            // the chain would give what the process has already
            var provider = InstanceProfileCredentialsProvider.createAsyncRefreshingProvider(false);
            long began = System.nanoTime();
            provider.getCredentials();
            System.out.printf(java.util.Locale.ROOT, "{\"ms\": %.2f}%n", (System.nanoTime() - began) / 1e6);
        }
    }
}
