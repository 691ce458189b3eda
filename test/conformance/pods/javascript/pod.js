// A pod's program: says who it is and puts an object where told, with the default credential chain and nothing else.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const me = await new STSClient().send(new GetCallerIdentityCommand());
console.log(JSON.stringify({ arn: me.Arn }));
const [bucket, key] = process.argv.slice(2);
if (key) {
  await new S3Client({ forcePathStyle: true }).send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "javascript" }));
}
