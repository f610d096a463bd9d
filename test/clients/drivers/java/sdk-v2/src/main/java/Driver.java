// A driver (loop.sh tells what it is asked): the AWS SDK for Java v2, with its default chain.
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.sts.StsClient;

public class Driver {
    public static void main(String[] words) throws InterruptedException {
        switch (words[0]) {
            case "version" -> System.out.println(VersionInfo.SDK_VERSION);
            case "use" -> use(Integer.parseInt(words[1]), Double.parseDouble(words[2]));
            case "time" -> time(Integer.parseInt(words[1]));
        }
        System.exit(0);
    }

    private static void use(int count, double gapSeconds) throws InterruptedException {
        var chain = DefaultCredentialsProvider.builder().build();
        var sts = StsClient.builder().credentialsProvider(chain).build();
        for (int number = 0; number < count; number++) {
            if (number > 0) Thread.sleep((long) (gapSeconds * 1000));
            try {
                var arn = sts.getCallerIdentity().arn();
                System.out.printf("{\"arn\": \"%s\", \"key\": \"%s\"}%n", arn, chain.resolveCredentials().accessKeyId());
            } catch (RuntimeException error) {
                System.out.printf("{\"error\": \"%s\"}%n", error.toString().replaceAll("[\"\\\\\n]", " "));
            }
        }
    }

    private static void time(int count) {
        for (int number = 0; number < count; number++) {
            var chain = DefaultCredentialsProvider.builder().build();
            long began = System.nanoTime();
            chain.resolveCredentials();
            System.out.printf(java.util.Locale.ROOT, "{\"ms\": %.2f}%n", (System.nanoTime() - began) / 1e6);
        }
    }
}
