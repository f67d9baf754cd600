package contract

// EnvGeneratorBucket names the bucket in which the laboratory's load generator on AWS finds its orders.
const EnvGeneratorBucket = "GENERATOR_BUCKET"
