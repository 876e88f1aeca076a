module hessianpeer

go 1.21

require github.com/apache/dubbo-go-hessian2 v1.12.5
