(ns ndgrad.errors-test
  "Whatever the public functions are given, they answer or say in the caller's terms what is wrong: no exception of the
  host shows through. And what the messages and the data say."
  (:require
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.optim :as optim]
   [ndgrad.random :as r])
  (:import
   (clojure.lang ArityException)
   (ndgrad ArgumentException DTypeException GraphException IndexException MutationException NdException Ops ShapeException)
   (ndgrad.op.spec Op Param)))

(set! *warn-on-reflection* true)

(defn- leaf [shape] (nd/ones shape {:requires-grad true}))

(def ^:private junk
  "What nobody should pass, and what only some should. Calls may modify the Arrays."
  [nil "foo" "" :foo 'sym \a inc #"x" Object (Object.) (atom 1)
   0 -1 2 -100 Long/MAX_VALUE Long/MIN_VALUE Integer/MAX_VALUE Integer/MIN_VALUE 0.5 ##NaN ##Inf 1/2 10N
   18446744073709551617N 1.5M (float 2.5) (short 3) true false
   [] [1] [0 1] [-1 2] [0 0] [[1 2] [3]] [nil] [1 nil] [["a"]] [[1 2] [3 4]] [65536 65536] (range 3) (map inc [1 2])
   #{} {} {:a 1} {nil nil} {1 2}
   (double-array [1 2]) (int-array [0 1]) (long-array 0) (char-array "ab") (object-array [1 nil]) (into-array ["a"])
   (nd/array 1.0) (nd/zeros [0]) (nd/zeros [2 0 3]) (nd/ones [2 3 1 2 1 1 1]) (nd/array [0 1] {:dtype :int32})
   (nd/array [true false]) (nd/array ##NaN) (leaf [3]) (nd/exp (leaf [2 2])) (nd/broadcast-to 1.0 [3 3])
   [(nd/ones [2]) (nd/ones [3])]])

(def ^:private allocates
  "Ops to which a large number is an order for so much memory."
  #{"zeros" "ones" "full" "empty" "eye" "tri" "arange" "linspace" "logspace" "one-hot" "repeat" "tile" "pad"})

(defn- large? [x]
  (or (and (number? x) (not (<= -1e4 (double x) 1e4)))
      (and (vector? x) (some large? x))))

(defn- complaint
  "What is wrong about how `f` refuses `args`; nil when it answers or refuses well."
  [f args]
  (try
    (let [result (apply f args)]
      (run! str (if (vector? result) result [result]))
      nil)
    (catch ArityException _ nil)
    (catch NdException e
      (let [message (ex-message e)
            {:keys [op]} (nd/error-data e)]
        (cond
          (not (string? op)) (str "the data lack :op: " message)
          (and (not (str/starts-with? message (str op ": ")))
               (not (instance? GraphException e))       ; which names the op of the tape that is at fault
               (not (instance? MutationException e))) (str "the message doesn't start with " op ": " message)
          (re-find #"\[[A-Z;]@|@[0-9a-f]{5,}|\bnull\b|Tensor|LazySeq@" message) (str "the message shows Java: " message))))
    (catch Throwable e (str "throws " e))))

(defn- complaints [f-name f arg-lists]
  (for [args arg-lists
        :let [c (complaint f args)]
        :when c]
    [f-name (mapv #(if (nd/array? %) (nd/shape %) %) args) c]))

(defn- spoilt
  "Argument lists of an op's first sample with one argument replaced."
  [^Op op]
  (let [[positional options] (tensors/call-args (first (samples/cases op))
                                                #(Ops/call (Ops/find "copy") {} (object-array [(tensors/tensor %)])))
        required (.required (.signature (.spec op)))
        options (into {} (map (fn [[k v]] [(keyword k) v])) options)]
    (for [[i ^Param p] (map-indexed vector (samples/params op))
          j junk
          :when (not (and (allocates (.name op)) (large? j)))]
      (if (< (long i) required)
        (cond-> (assoc (vec positional) i j) (seq options) (conj options))
        (conj (vec (take required positional)) (assoc options (keyword (.name p)) j))))))

(deftest every-op-answers-or-refuses-well
  (is (= [] (for [^Op op (samples/ops)
                  :let [f (ns-resolve 'ndgrad.core (symbol (.name op)))]
                  :when f
                  c (complaints (.name op) @f (spoilt op))]
              c))))

(def ^:private by-hand
  "Functions that no op declares: one argument after another is junk, the others are right."
  (let [y #(nd/sum (nd/exp (leaf [3])))]
    {#'nd/array [[1 2] {:dtype :int64}]
     #'nd/wrap [(double-array 4) [2 2] {:requires-grad true}]
     #'nd/shape [1], #'nd/ndim [1], #'nd/dtype [1], #'nd/size [1], #'nd/nbytes [1], #'nd/itemsize [1], #'nd/strides [1]
     #'nd/offset [1], #'nd/T [1], #'nd/data [1], #'nd/->array [1], #'nd/item [1], #'nd/tolist [1]
     #'nd/slice [0 1 2], #'nd/get [(nd/ones [2 3]) 0 1], #'nd/set! [(nd/ones [2 3]) [0 1] 3]
     #'nd/+ [1 2 3], #'nd/- [1 2 3], #'nd/* [1 2 3], #'nd// [1 2 3]
     #'nd/> [1 2], #'nd/< [1 2], #'nd/>= [1 2], #'nd/<= [1 2], #'nd/== [1 2], #'nd/!= [1 2]
     #'nd/requires-grad? [1], #'nd/requires-grad! [(nd/ones [2]) true], #'nd/grad-of [(nd/ones [2])]
     #'nd/zero-grad! [(nd/ones [2])], #'nd/grad-fn [1], #'nd/leaf? [1], #'nd/version [1], #'nd/detach [1]
     #'nd/retain-grad! [(y)], #'nd/backward! [(y) 1.0 {:retain-graph true}], #'nd/register-hook! [(y) identity]
     #'nd/graph [(y)], #'nd/graph-dot [(y)], #'nd/error-data [1]
     #'r/manual-seed! [0], #'r/key [0], #'r/split [(r/key 0) 2], #'r/fold-in [(r/key 0) 1]
     #'r/rand [[2] {:dtype :float32}], #'r/randn [[2] {:key (r/key 0)}], #'r/uniform [0 1 [2] {}]
     #'r/normal [0 1 [2] {}], #'r/truncated-normal [0 1 -1 1 [2] {}], #'r/exponential [1 [2] {}]
     #'r/randint [0 5 [2] {}], #'r/bernoulli [0.5 [2] {}], #'r/choice [5 [2] {}], #'r/randperm [5 {}]
     #'r/permutation [5 {}], #'r/shuffle! [(nd/arange 3) {}]
     #'optim/sgd [{:lr 1}], #'optim/adam [{}], #'optim/adamw [{}], #'optim/with-lr [(optim/adam) 1]
     #'optim/init [(optim/adam) [(nd/ones [2])]]
     #'optim/step! [(optim/sgd {:lr 1}) [(nd/ones [2])] [(nd/ones [2])] {:step 0}]
     #'optim/step [(optim/sgd {:lr 1}) [(nd/ones [2])] [(nd/ones [2])] {:step 0}]}))

(deftest functions-by-hand-answer-or-refuse-well
  (is (= [] (for [[f args] by-hand
                  c (complaints f @f (for [i (range (count args)), j junk
                                           :when (not (and (= "ndgrad.random" (str (:ns (meta f)))) (large? j)))]
                                       (assoc args i j)))]
              c)))
  (is (= [] (for [[f args] by-hand
                  c (complaints f @f (for [more [[:axis] [{:no-such 1}] [:no-such 1] [1 2 3] [{:dtype :complex}]
                                                 [{:requires-grad true, nil nil}]]]
                                       (into (vec (butlast args)) more)))]
              c))))

(deftest messages
  (testing "quote what was given, briefly"
    (doseq [[re f] {#"^sum: axis must be an integer or a list of integers, got \"a\"$" #(nd/sum [1 2] {:axis "a"})
                    #"^exp: cannot make an array of \"a\"; expected numbers" #(nd/exp "a")
                    #"^exp: cannot make an array of a map; " #(nd/exp {:a 1})
                    #"^add!: the first argument must be an Array, which is modified, got \[1 2\]$" #(nd/add! [1 2] 1)
                    #"^add!: .* got no value$" #(nd/add! nil 1)
                    #"^reshape: shape must be an integer, got 0\.5$" #(nd/reshape [1 2] [0.5])
                    #"^zeros: shape must be an integer, got a double\[\] of length 2$" #(nd/zeros [(double-array 2)])
                    #"^einsum: equation must be a keyword or string, got \[1 2\]$" #(nd/einsum [1 2] [[1]])
                    #"^norm: there is no norm of order \[1 2\]; " #(nd/norm [1 2] {:ord [1 2]})
                    #"^one-hot: class -1 is out of range; expected 0 or more$" #(nd/one-hot [-1 3])
                    #"^one-hot: class 3 is out of range; expected 0 to 1$" #(nd/one-hot [3] 2)
                    #"^get: index -9223372036854775808 is out of range for axis 0 of length 1" #(nd/get [1] Long/MIN_VALUE)
                    #"^get: index 9223372036854775807 is out of range" #(nd/get [1] Long/MAX_VALUE)
                    #"^get: \"a b\"|^get: an object of class java\.lang\.Object is no index; " #(nd/get [1] (Object.))
                    #"^requires-grad!: required must be true or false, got 1$" #(nd/requires-grad! (nd/ones [1]) 1)
                    #"^get: a list in the index must hold .* stand beside it: cannot make an array of a slice; "
                    #(nd/get [[1 2]] [0 (nd/slice 1)])
                    #"^detach: cannot make an array of no value" #(nd/detach nil)
                    #"^set!: expected an Array, got \[1 2\]$" #(nd/set! [1 2] 0 1)
                    #"^backward!: expected an Array, got 3$" #(nd/backward! 3)
                    #"^array: unknown option :axis; it takes \[:dtype :requires-grad\]$" #(nd/array [1] {:axis 0})
                    #"^rand: shape must be an integer or a list of integers, got no value$" #(r/rand nil)
                    #"^wrap: an array of shape \[2\] has 2 elements, the primitive array 3$" #(nd/wrap (double-array 3) [2])
                    #"^item: needs an array with exactly one element" #(nd/item [1 2])
                    #"^rand: expected a key as made by `key` or `split`, got 3$" #(r/rand [2] {:key 3})
                    #"^uniform: needs finite low <= high, got 2\.0, 1\.0$" #(r/uniform 2 1 [2])
                    #"^choice: cannot take 5 out of 3" #(r/choice 3 5 {:replace false})
                    #"^permutation: needs an array" #(r/permutation 1.5)
                    #"^roll: 0 shifts do not fit 1 axes$" #(nd/roll [[1 2]] [] {:axis 1})}]
      (is (thrown-with-msg? NdException re (f)))))
  (testing "walk no sequence to its end"
    (is (thrown-with-msg? ArgumentException #"^sum: keepdims must be true or false, got \[0 1 2 3 4 \.\.\.\]$"
                          (nd/sum [1 2] {:keepdims (range)})))
    (doseq [[given shown] {(iterate inc 1) "a list", {:a 1} "a map", Double "java\\.lang\\.Double", true "true", :float16 ":float16"
                           "double" "\"double\""}]
      (is (thrown-with-msg? DTypeException
                            (re-pattern (str "^zeros: unknown dtype: " shown "; expected one of float32, float64, int32, int64, bool$"))
                            (nd/zeros [2] {:dtype given}))))
    (is (thrown-with-msg? ArgumentException #"^sum: expected keyword arguments in pairs, got \[:axis \[0 1 2 3 4 \.\.\.\] :x\]$"
                          (nd/sum [1] :axis (range) :x)))
    (doseq [f [#(nd/zeros (repeat 1)) #(nd/reshape [1] (repeat 1)) #(nd/sum [1] {:axis (range)}) #(r/rand (repeat 2))
               #(nd/wrap (double-array 1) (repeat 1))]]
      (is (thrown-with-msg? ArgumentException #"must be at most 64 integers, .*, got \[. . . . . \.\.\.\]$" (f))))
    (is (thrown-with-msg? ArgumentException #"axis must be an integer or a list of integers, got an array of shape \[100\]"
                          (nd/sum [1.0] {:axis (nd/ones [100])}))))
  (testing "stop reading data that does not end when the thread is interrupted"
    (doseq [f [#(nd/array (range)) #(nd/cat (repeat [1])) #(nd/array [[1 2] (repeat 1)]) #(nd/get [1] (range))
               #(nd/backward! (repeat (nd/sum (leaf [2]))))]]
      (.interrupt (Thread/currentThread))
      (try
        (is (thrown-with-msg? NdException #"^\w+!?: .*an interrupt came while a sequence was read, after 4096 elements"
                              (f)))
        (finally (Thread/interrupted)))))
  (testing "say that nesting is too deep, or without end"
    (let [self (java.util.ArrayList.)]
      (.add self self)
      (doseq [x [self (object-array [self]) (nth (iterate vector 1) 5000)]]
        (is (thrown-with-msg? ShapeException #"^array: lists are nested more than 64 deep" (nd/array x)))))))

(deftest data
  (is (= {:op "add" :shapes [[2] [3]]} (nd/error-data (try (nd/+ [1 2] [1 2 3]) (catch ShapeException e e)))))
  (is (= {:op "exp" :value "no value"} (nd/error-data (try (nd/exp nil) (catch ArgumentException e e)))))
  (is (= [[2] [4]] (:shapes (nd/error-data (try (nd/set! (nd/zeros [4]) [:all] [1 2]) (catch ShapeException e e))))))
  (is (= [2] (:mask (nd/error-data (try (nd/get [1 2 3] [true false]) (catch IndexException e e))))))
  (is (= "detach" (:op (nd/error-data (try (nd/detach "x") (catch ArgumentException e e)))))))

(deftest integers-that-do-not-fit
  (testing "32 bits are refused wherever the host gives them; arrays wrap, as in NumPy"
    (doseq [f [#(nd/array 3000000000 {:dtype :int32})
               #(nd/array [[1] [3000000000]] {:dtype :int32})
               #(nd/array [[1 3000000000N]] :dtype :int32)
               #(nd/set! (nd/zeros [2] {:dtype :int32}) [0] 3000000000)
               #(nd/set! (nd/zeros [2] {:dtype :int32}) [:all] [1 3000000000])]]
      (is (thrown? NdException (f))))
    (is (thrown-with-msg? DTypeException #"^array: the number 3000000000 does not fit int32; ask for int64$"
                          (nd/array [1 3000000000] {:dtype :int32})))
    (is (= [-1294967296] (nd/tolist (nd/array (long-array [3000000000]) {:dtype :int32}))))
    (is (= [2147483647] (nd/tolist (nd/array [3e9] {:dtype :int32}))))))

(deftest bytes-and-shorts
  (is (= [1 -2] (nd/tolist (nd/array (byte-array [1 -2])))))
  (is (= [[1 2] [3 4]] (nd/tolist (nd/array (into-array [(short-array [1 2]) (short-array [3 4])])))))
  (is (= :int32 (nd/dtype (byte-array [1]))))
  (is (= [1.0 2.0] (nd/tolist (nd/exp (nd/log (nd/array (byte-array [1 2]) {:dtype :float64}))))))
  (is (thrown-with-msg? ArgumentException #"^array: cannot make an array of a char\[\] of length 2; "
                        (nd/array (char-array "ab")))))

(deftest transforms-take-functions
  (doseq [[op f] {"vjp" #(nd/vjp 3 1.0), "jvp" #(nd/jvp nil [1.0] [1.0]), "grad" #(nd/grad (nd/ones [2]))
                  "hvp" #(nd/hvp 1/2 1.0 1.0), "jacobian" #(nd/jacobian "f"), "hessian" #(nd/hessian nil)
                  "linearize" #(nd/linearize 3 1.0), "vmap" #(nd/vmap nil), "checkpoint" #(nd/checkpoint 3)
                  "fuse" #(nd/fuse 3), "custom-vjp" #(nd/custom-vjp 3 inc), "custom-jvp" #(nd/custom-jvp inc 5)}
          :let [e (is (thrown-with-msg? ArgumentException #": expected a function.*, got " (f)))]]
    (is (= op (:op (nd/error-data e))))))

(deftest keyword-arguments
  (testing "may end in a map, as Clojure's own functions take them; what it says counts"
    (let [x (nd/zeros [2] :dtype :float32 {:requires-grad true})]
      (is (= [:float32 true] [(nd/dtype x) (nd/requires-grad? x)])))
    (is (= [3.0] (nd/tolist (nd/sum [[1.0] [2.0]] 0 :keepdims true {:keepdims false}))))
    (is (= :float32 (nd/dtype (nd/array [1 2] :dtype :int64 {:dtype :float32}))))
    (is (= [2] (nd/shape (r/rand [2] :dtype :float32 {:requires-grad true})))))
  (testing "come in pairs"
    (is (thrown-with-msg? ArgumentException #"^log!: expected keyword arguments in pairs, got \[:a\]$"
                          (nd/log! (nd/ones [2]) :a)))
    (is (thrown-with-msg? ArgumentException #"^sum: expected keyword arguments in pairs, got \[:axis a map\]$"
                          (nd/sum [1] :axis {:keepdims true})))))

(deftest options-that-are-nil
  (testing "are those not given"
    (is (= (nd/tolist (nd/leaky-relu [-1.0])) (nd/tolist (nd/leaky-relu [-1.0] {:slope nil}))))
    (is (= [-0.01] (nd/tolist (nd/leaky-relu! (nd/array [-1.0]) nil))))
    (is (= 1.0 (nd/item (nd/var [1.0 3.0] {:ddof nil :keepdims nil}))))
    (is (= :xy (do (nd/meshgrid [[1] [2]] {:indexing nil}) :xy))))
  (testing "but a nil axis is none, where there is such a thing"
    (is (= [1 2 3 4] (nd/tolist (nd/sort [[4 3] [2 1]] {:axis nil}))))
    (is (= [4 7 9 10] (nd/tolist (nd/cumsum [[4 3] [2 1]] {:axis nil}))))
    (is (thrown-with-msg? ArgumentException #"^stack: axis must be an integer, got no value$"
                          (nd/stack [[1] [2]] {:axis nil})))))

(deftest flags-are-true-or-false
  (let [loss (nd/sum (leaf [2]))]
    (doseq [[message call]
            {#"^array: requires-grad must be true or false, got \"no\"" #(nd/array [1.0] {:requires-grad "no"})
             #"^wrap: requires-grad must be" #(nd/wrap (double-array 1) [1] {:requires-grad 0})
             #"^rand: requires-grad must be" #(r/rand [1] {:requires-grad :false})
             #"^choice: replace must be" #(r/choice 3 2 {:replace 0})
             #"^backward!: retain-graph must be" #(nd/backward! loss {:retain-graph 0})
             #"^backward!: create-graph must be" #(nd/backward! loss {:create-graph "no"})}]
      (is (thrown-with-msg? ArgumentException message (call))))))

(deftest large-numbers
  (testing "of more than 64 bits are refused, not cut"
    (is (thrown? ArgumentException (nd/zeros [18446744073709551617N])))
    (is (thrown? DTypeException (nd/nan-to-num [1.0] {:nan 18446744073709551617N}))))
  (testing "in slices are beyond every end"
    (is (= [0 1 2] (nd/tolist (nd/get (nd/arange 3) (nd/slice -18446744073709551617N 18446744073709551617N)))))
    (is (thrown? IndexException (nd/slice 0 1.0))))
  (testing "of places to pad and to fill are refused before memory is asked for"
    (let [x (nd/ones [1 1 2 2])]
      (is (thrown? ShapeException (nd/conv2d x x {:padding [65536 65536]})))
      (is (thrown? ShapeException (nd/conv2d x x {:padding Integer/MAX_VALUE})))
      (is (thrown? ShapeException (nd/conv2d x x {:dilation Integer/MAX_VALUE})))
      (is (thrown-with-msg? ShapeException #"^conv2d: padding \[1073741824, 1073741824\] makes more places"
                            (nd/conv2d x (nd/ones [1 1 3 3]) {:padding :same :dilation 1073741824})))
      (is (thrown? ShapeException (nd/avg-pool2d x 2 {:padding [65536 65536]})))
      (is (thrown? ShapeException (nd/diag [1 2 3] {:k Integer/MAX_VALUE})))
      (doseq [mode [:constant :edge :wrap :reflect :symmetric]]
        (is (thrown? ShapeException (nd/pad [1 2] Integer/MAX_VALUE {:mode mode}))))))
  (testing "of elements and keys are refused where the heap can't hold them"
    (is (thrown-with-msg? ShapeException #"^repeat: axis 0 of shape \[2\] would get a length of 4294967294, more "
                          (nd/repeat [1 2] [Integer/MAX_VALUE Integer/MAX_VALUE])))
    (let [n 2000000000]
      (when (< (.maxMemory (Runtime/getRuntime)) (* 4 n))
        (is (thrown-with-msg? ShapeException #"^repeat: .* MiB, more than the heap " (nd/repeat [1 2] [1 (dec n)])))
        (is (thrown-with-msg? ShapeException #"^choice: .* MiB, more than the heap " (r/choice n 3 {:replace false})))
        (is (thrown-with-msg? ShapeException #"^randperm: .* MiB, more than the heap " (r/randperm n)))
        (is (thrown-with-msg? ArgumentException #"^split: .* MiB, more than the heap " (r/split (r/key 0) n)))))))

(deftest options-of-backward
  (testing "may stand without an upstream gradient"
    (let [x (leaf [])
          y (nd/* x x)]
      (nd/backward! y {:retain-graph true})
      (nd/backward! y :retain-graph true)
      (nd/backward! y nil :retain-graph true)
      (nd/backward! y)
      (is (= 8.0 (nd/item (nd/grad-of x))))
      (is (thrown? GraphException (nd/backward! y))))))
