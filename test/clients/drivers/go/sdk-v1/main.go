// A driver (loop.sh tells what it is asked): the AWS SDK for Go v1, with its default chain.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	tell := json.NewEncoder(os.Stdout).Encode
	switch os.Args[1] {
	case "version":
		fmt.Println(aws.SDKVersion)
	case "use":
		current := session.Must(session.NewSession())
		client := sts.New(current, aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL_STS")))
		count, _ := strconv.Atoi(os.Args[2])
		gap, _ := time.ParseDuration(os.Args[3] + "s")
		for number := 0; number < count; number++ {
			if number > 0 {
				time.Sleep(gap)
			}
			identity, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
			if err != nil {
				tell(map[string]string{"error": err.Error()})
				continue
			}
			value, _ := current.Config.Credentials.Get()
			tell(map[string]string{"arn": *identity.Arn, "key": value.AccessKeyID})
		}
	case "time":
		count, _ := strconv.Atoi(os.Args[2])
		for number := 0; number < count; number++ {
			current := session.Must(session.NewSession())
			began := time.Now()
			if _, err := current.Config.Credentials.Get(); err != nil {
				panic(err)
			}
			tell(map[string]float64{"ms": time.Since(began).Seconds() * 1000})
		}
	}
}
