import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sts.StsClient;

/** A pod's program: says who it is and puts an object where told, with the default credential chain and nothing else. */
public final class Pod {
    private Pod() {
    }

    public static void main(String[] args) {
        try (StsClient sts = StsClient.create()) {
            System.out.println("{\"arn\": \"" + sts.getCallerIdentity().arn() + "\"}");
        }
        if (args.length == 2) {
            try (S3Client s3 = S3Client.builder().forcePathStyle(true).build()) {
                s3.putObject(r -> r.bucket(args[0]).key(args[1]), RequestBody.fromString("java"));
            }
        }
    }
}
